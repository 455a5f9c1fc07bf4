"""Take the README's picture: the first screen of a built chapter, in headless Chromium.

    .venv/bin/python book/screenshot.py     # what `make picture` runs
"""

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "_build" / "html" / "chapters" / "03_max_margin.html"
PICTURE = ROOT / "book" / "_static" / "chapter.png"


def main():
    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if chromium is None:
        sys.exit("Chromium is needed to take the picture, and none was found.")
    with tempfile.TemporaryDirectory() as profile:
        subprocess.run(
            [chromium, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--window-size=1360,1100",
             f"--user-data-dir={profile}", "--virtual-time-budget=30000", f"--screenshot={PICTURE}", PAGE.as_uri()],
            check=True, stderr=subprocess.DEVNULL)
    Image.open(PICTURE).convert("RGB").quantize(128).save(PICTURE, optimize=True)
    print(f"{PICTURE.relative_to(ROOT)}: {PICTURE.stat().st_size // 1000} kB")


if __name__ == "__main__":
    main()
