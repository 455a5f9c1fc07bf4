"""Build the book into _build/html.

    .venv/bin/python book/build.py              # what `make book` runs
    .venv/bin/python book/build.py --jobs 1     # one chapter after the other
    .venv/bin/python book/build.py --pdf        # what `make pdf` runs: prints the pages, too

Three steps. The chapters whose code changed are executed, in parallel, and kept in a cache; a
change of the package, of the pins or of Python empties the cache, since any output may depend
on them. Then what the chapters claim, and what their execution took, is read off the cache. Last,
Sphinx writes the pages; any warning of it fails the build. With --pdf the pages link to PDFs, which
headless Chromium prints from them.
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

from claims import ClaimsError, collect
from execute import execute_all
from pdf import PrintFailed, print_book

ROOT = Path(__file__).resolve().parents[1]
BUILD = ROOT / "_build"
CACHE = BUILD / ".jupyter_cache"  # where myst-nb looks for executed notebooks
CHAPTERS = ROOT / "chapters"
CLAIMS = BUILD / "claims.json"
RUN_TIMES = BUILD / "run_times.json"


def source_hash():
    """Hash of everything but a chapter's own cells that its outputs depend on."""
    package = [p for p in (ROOT / "deepdyn_np").rglob("*")
               if p.is_file() and not {"__pycache__", "classroom"} & set(p.parts)]  # no chapter grades
    digest = hashlib.sha256(sys.version.encode())
    for path in [ROOT / "requirements.txt", *sorted(package)]:
        digest.update(str(path.relative_to(ROOT)).encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


def open_cache():
    stamp = CACHE / "SOURCE_HASH"
    if not stamp.exists() or stamp.read_text() != source_hash():
        shutil.rmtree(CACHE, ignore_errors=True)
        CACHE.mkdir(parents=True)
        stamp.write_text(source_hash())
    return get_cache(str(CACHE))


def cached(cache, path):
    """The cache's record of a chapter, or None if there is none that says what its execution took."""
    try:
        record = cache.match_cache_notebook(nbformat.read(path, as_version=4))
    except Exception:  # not in the cache, or no notebook at all: its execution tells
        return None
    return record if "cpu_seconds" in record.data else None


def execute_chapters(jobs):
    """Execute what is not cached; return the names of the chapters that failed."""
    cache = open_cache()
    chapters = sorted(CHAPTERS.glob("*.ipynb"))
    todo = [path for path in chapters if cached(cache, path) is None]
    print(f"{len(chapters)} chapters: {len(chapters) - len(todo)} unchanged, {len(todo)} to execute", flush=True)

    failed = []
    for done in execute_all(todo, jobs):
        if done.error:
            failed.append(done.path.stem)
            continue
        took = {"execution_seconds": done.seconds, "cpu_seconds": done.cpu_seconds, "peak_mb": done.peak_mb,
                "jobs": min(jobs, len(todo))}
        cache.cache_notebook_bundle(CacheBundleIn(done.notebook, str(done.path), data=took),
                                    check_validity=False, overwrite=True)
    return failed


def write_records():
    """Write what the claims page and the run-time page show, from the cache of executed chapters."""
    cache, run_times, notebooks = open_cache(), {}, {}
    for path in sorted(CHAPTERS.glob("*.ipynb")):
        record = cached(cache, path)
        if record is None:
            sys.exit(f"{path.name} was changed while the book was being built: build it once more.")
        took = record.data
        run_times[path.stem] = {"seconds": round(took["execution_seconds"], 1),
                                "cpu_seconds": round(took["cpu_seconds"], 1), "peak_mb": round(took["peak_mb"]),
                                "jobs": took["jobs"]}
        _, notebooks[path.stem] = cache.merge_match_into_notebook(nbformat.read(path, as_version=4))
    for file, content in ((RUN_TIMES, run_times), (CLAIMS, collect(notebooks))):
        file.write_text(json.dumps(content, indent=1, allow_nan=False) + "\n", encoding="utf-8")


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
    try:
        write_records()
    except ClaimsError as error:
        sys.exit(f"The book was not built, because the claims page could not be made:\n{error}")
    if write_pages(arguments.pdf) != 0:
        sys.exit("The book was built with the warnings above; each of them is an error.")
    if arguments.pdf:
        print_pdfs()
    print(f"Built in {time.perf_counter() - start:.0f} s. Open {BUILD / 'html' / 'index.html'}")


if __name__ == "__main__":
    main()
