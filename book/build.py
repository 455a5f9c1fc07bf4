"""Build the book into _build/html.

    .venv/bin/python book/build.py              # what `make book` runs
    .venv/bin/python book/build.py --jobs 1     # one chapter after the other
    .venv/bin/python book/build.py --pdf        # what `make pdf` runs: prints the pages, too

Two steps. The chapters whose code changed are executed, in parallel, and kept in a cache; a
change of the package, of the pins or of Python empties the cache, since any output may depend
on them. Then Sphinx writes the pages; any warning of it fails the build. With --pdf the pages link
to PDFs, which headless Chromium prints from them.
"""

import argparse
import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import nbformat
from jupyter_cache import get_cache
from jupyter_cache.base import CacheBundleIn

from execute import execute_all
from pdf import PrintFailed, print_book

ROOT = Path(__file__).resolve().parents[1]
BUILD = ROOT / "_build"
CACHE = BUILD / ".jupyter_cache"  # where myst-nb looks for executed notebooks
RUN_TIMES = BUILD / "run_times.json"


def source_hash():
    """Hash of everything but a chapter's own cells that its outputs depend on."""
    package = [p for p in (ROOT / "deepdyn_np").rglob("*") if p.is_file() and "__pycache__" not in p.parts]
    digest = hashlib.sha256(sys.version.encode())
    for path in [ROOT / "requirements.txt", *sorted(package)]:
        digest.update(str(path.relative_to(ROOT)).encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


def open_cache():
    stamp = CACHE / "SOURCE_HASH"
    if not stamp.exists() or stamp.read_text() != source_hash():
        shutil.rmtree(CACHE, ignore_errors=True)
        RUN_TIMES.unlink(missing_ok=True)
        CACHE.mkdir(parents=True)
        stamp.write_text(source_hash())
    return get_cache(str(CACHE))


def is_cached(cache, path):
    try:
        cache.match_cache_notebook(nbformat.read(path, as_version=4))
        return True
    except Exception:  # not in the cache, or no notebook at all: its execution tells
        return False


def execute_chapters(jobs):
    """Execute what is not cached; return the names of the chapters that failed."""
    cache = open_cache()
    chapters = sorted((ROOT / "chapters").glob("*.ipynb"))
    todo = [path for path in chapters if not is_cached(cache, path)]
    print(f"{len(chapters)} chapters: {len(chapters) - len(todo)} unchanged, {len(todo)} to execute", flush=True)

    run_times = json.loads(RUN_TIMES.read_text()) if RUN_TIMES.exists() else {}
    failed = []
    for done in execute_all(todo, jobs):
        if done.error:
            failed.append(done.path.stem)
            continue
        cache.cache_notebook_bundle(
            CacheBundleIn(done.notebook, str(done.path), data={"execution_seconds": done.seconds}),
            check_validity=False, overwrite=True)
        run_times[done.path.stem] = {"seconds": round(done.seconds, 1), "peak_mb": round(done.peak_mb)}
        RUN_TIMES.write_text(json.dumps(run_times, indent=1, sort_keys=True) + "\n")
    return failed


def write_pages(with_pdf):
    """Run Sphinx, strictly and from scratch: it repeats no warning of a page it does not read again."""
    shutil.rmtree(BUILD / ".doctrees", ignore_errors=True)
    print("Writing the pages", flush=True)
    return subprocess.run(
        [sys.executable, "-c", "from jupyter_book.cli.main import main; main()", "build", str(ROOT),
         "--toc", str(ROOT / "book" / "_toc.yml"), "-W", "-n", "--keep-going", "-q"],
        stdout=subprocess.DEVNULL, env={**os.environ, "BOOK_WITH_PDF": "yes" if with_pdf else ""}).returncode


def print_pdfs():
    print("Printing the PDFs", flush=True)
    try:
        print_book(BUILD / "html")
    except PrintFailed as error:
        shutil.rmtree(BUILD / "html")  # its pages link to PDFs that are not there
        sys.exit(f"The PDFs were not printed: {error}")


def main():
    parser = argparse.ArgumentParser(description="Build the book into _build/html.")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="chapters executed at a time")
    parser.add_argument("--pdf", action="store_true", help="print the chapters and the book (needs Chromium)")
    arguments = parser.parse_args()

    start = time.perf_counter()
    shutil.rmtree(BUILD / "html", ignore_errors=True)  # a failed build must not leave the last one's pages
    if failed := execute_chapters(arguments.jobs):
        sys.exit(f"The book was not built: {', '.join(failed)} failed (see above); the others are cached.")
    if write_pages(arguments.pdf) != 0:
        sys.exit("The book was built with the warnings above; each of them is an error.")
    if arguments.pdf:
        print_pdfs()
    print(f"Built in {time.perf_counter() - start:.0f} s. Open {BUILD / 'html' / 'index.html'}")


if __name__ == "__main__":
    main()
