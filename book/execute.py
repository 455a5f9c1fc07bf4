"""Execute chapters, each in a fresh kernel, as many at a time as asked for."""

import multiprocessing
import os
import re
import resource
import sys
import time
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path

import nbformat
from nbclient import NotebookClient

CELL_TIMEOUT = 120  # seconds
THREADS = 1  # of the BLAS in each chapter
THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")
QUIET = ["--IPKernelApp.log_level=40"]  # else every kernel prints a remark about its TCP port


@dataclass
class Execution:
    path: Path
    notebook: nbformat.NotebookNode | None
    seconds: float
    cpu_seconds: float
    peak_mb: float
    error: str  # empty if every cell ran and none wrote to stderr


def execute_all(paths, jobs):
    """Execute the notebooks at ``paths``; yield each ``Execution`` as it ends and print its time."""
    os.environ.update(dict.fromkeys(THREAD_VARIABLES, str(THREADS)))
    with ThreadPoolExecutor(jobs) as pool:
        futures = [pool.submit(_execute_apart, path) for path in paths]
        for count, future in enumerate(as_completed(futures), 1):
            done = future.result()
            print(f"[{count}/{len(paths)}] {done.path.stem:<32} {done.seconds:6.1f} s "
                  f"{done.peak_mb:6.0f} MB  {'FAILED' if done.error else 'ok'}", flush=True)
            if done.error:
                print(f"\nChapter {done.path.stem} failed:\n{done.error}\n", file=sys.stderr, flush=True)
            yield done


def _execute_apart(path):
    """Execute one notebook in a process of its own: its only child is the kernel."""
    start = time.perf_counter()
    try:
        with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as process:
            return process.submit(_execute, path).result()
    except Exception as error:  # a killed process, a file that is no notebook: the others go on
        return Execution(path, None, time.perf_counter() - start, 0.0, 0.0, f"{type(error).__name__}: {error}")


def _execute(path):
    notebook = nbformat.read(path, as_version=4)
    client = NotebookClient(notebook, timeout=CELL_TIMEOUT, kernel_name="python3", record_timing=False,
                            coalesce_streams=True,  # else one print is two outputs when the kernel flushes
                            extra_arguments=QUIET, resources={"metadata": {"path": str(path.parent)}})
    start = time.perf_counter()
    try:
        client.execute()
        error = _stderr(notebook)
    except Exception as stopped:  # a raising cell, a cell out of time, a dead kernel
        error = re.sub(r"\x1b\[[0-9;]*m", "", f"{type(stopped).__name__}: {stopped}")
    seconds = time.perf_counter() - start
    kernel = resource.getrusage(resource.RUSAGE_CHILDREN)
    peak_mb = kernel.ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)  # from bytes, elsewhere from kB
    return Execution(path, notebook, seconds, kernel.ru_utime + kernel.ru_stime, peak_mb, error)


def _stderr(notebook):
    """What the cells wrote to stderr: a numpy warning in a chapter is a fault, not a remark."""
    return "\n".join(f"A cell wrote to stderr:\n{cell.source}\n----\n{output.text}"
                     for cell in notebook.cells for output in cell.get("outputs", [])
                     if output.get("name") == "stderr")
