"""Take the README's pictures: the first screens of two built pages, in headless Chromium.

    .venv/bin/python book/screenshot.py     # what `make picture` runs
"""

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image

ROOT = Path(__file__).resolve().parents[1]
HTML = ROOT / "_build" / "html"
PICTURES = {
    "chapter.png": HTML / "chapters" / "03_max_margin.html",
    "claims.png": HTML / "book" / "claims.html",
}


def main():
    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if chromium is None:
        sys.exit("Chromium is needed to take the pictures, and none was found.")
    if absent := [str(page.relative_to(ROOT)) for page in PICTURES.values() if not page.exists()]:
        sys.exit(f"No picture was taken: the built book has no {' and no '.join(absent)}. Run `make book` first.")
    for name, page in PICTURES.items():
        take(chromium, page, ROOT / "book" / "_static" / name)


def take(chromium, page, picture):
    with tempfile.TemporaryDirectory() as profile:
        subprocess.run(
            [chromium, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--window-size=1360,1100",
             f"--user-data-dir={profile}", "--virtual-time-budget=30000", f"--screenshot={picture}", page.as_uri()],
            check=True, stderr=subprocess.DEVNULL)
    Image.open(picture).convert("RGB").quantize(128).save(picture, optimize=True)
    print(f"{picture.relative_to(ROOT)}: {picture.stat().st_size // 1000} kB")


if __name__ == "__main__":
    main()
