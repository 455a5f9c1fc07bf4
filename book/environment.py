"""What the chapters were executed with."""

import os
import platform
import re
from importlib.metadata import version
from pathlib import Path

import numpy as np

from execute import THREADS


def environment():
    """Versions and machine, as words and numbers that a reader understands."""
    blas = np.show_config(mode="dicts")["Build Dependencies"]["blas"]
    return {"package": version("deepdyn-np"), "python": platform.python_version(), "numpy": np.__version__,
            "blas": f"{blas['name']} {blas['version']}", "blas_threads": THREADS,
            "system": f"{platform.system()} {platform.machine()}", "processor": _processor(), "cores": os.cpu_count()}


def _processor():
    cpuinfo = Path("/proc/cpuinfo")  # Linux; elsewhere Python knows the name
    named = re.search(r"^model name\s*:\s*(.+)$", cpuinfo.read_text() if cpuinfo.exists() else "", re.MULTILINE)
    return named[1] if named else platform.processor() or platform.machine()
