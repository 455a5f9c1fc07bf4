# One command for each thing a reader or a writer does; `make` alone lists them.
PYTHON ?= python3
JOBS ?= $(shell getconf _NPROCESSORS_ONLN)
PORT ?= 8000

BIN := .venv/bin
# The matrices of the book are small: several BLAS threads would only wait for each other.
export OMP_NUM_THREADS := 1
export OPENBLAS_NUM_THREADS := 1

help:
	@echo "make book       build the book into _build/html (executes what changed)"
	@echo "make test       run every test, the notebooks included"
	@echo "make pdf        build it with a PDF of each chapter and of the whole book (needs Chromium)"
	@echo "make test-extras  test the assignments with nbgrader, on a Dask cluster, and 200 at a time"
	@echo "make lab        open the chapters in JupyterLab"
	@echo "make serve      show the built book at http://localhost:$(PORT)/"
	@echo "make notebooks  execute the chapters and store their outputs in place"
	@echo "make bench      time the package beside PyTorch and JAX (BASELINE=write stores the result)"
	@echo "make picture    take the README's pictures of the built book (needs Chromium)"
	@echo "make clean      remove everything built (but not .venv, .venv-bench)"

book: .venv/installed
	@$(BIN)/python book/build.py --jobs $(JOBS)

pdf: .venv/installed
	@$(BIN)/python book/build.py --jobs $(JOBS) --pdf

test: .venv/installed
	$(BIN)/python -m pytest -n $(JOBS)

# In files that pytest does not collect by itself: they need packages that readers do not.
test-extras: .venv/installed-extras
	$(BIN)/python -m pytest tests/*/extras_*.py

lab: .venv/installed
	$(BIN)/jupyter lab --notebook-dir chapters

serve: _build/html/index.html
	@echo "The book is at http://localhost:$(PORT)/ (Ctrl-C stops the server)"
	@$(BIN)/python -m http.server $(PORT) --bind 127.0.0.1 --directory _build/html

_build/html/index.html:
	@$(MAKE) book

notebooks: .venv/installed
	@$(BIN)/python book/store_outputs.py --jobs $(JOBS)

picture: _build/html/index.html
	@$(BIN)/python book/screenshot.py

# One core, one thread, and an environment of its own: nothing else needs PyTorch or JAX.
bench: .venv-bench/installed
	@.venv-bench/bin/python tests/benchmarks/bench.py $(if $(BASELINE),--baseline $(BASELINE))

.venv-bench/installed: requirements-bench.txt pyproject.toml
	@test -x .venv-bench/bin/pip || $(PYTHON) -m venv .venv-bench || { rm -rf .venv-bench; exit 1; }
	@echo "Installing PyTorch, JAX and autograd into .venv-bench (some minutes)"
	@.venv-bench/bin/python -m pip install --quiet --disable-pip-version-check --requirement requirements-bench.txt
	@touch $@

clean:
	rm -rf _build .pytest_cache .hypothesis
	find . -name '.venv*' -prune -o -name __pycache__ -exec rm -rf {} +

.venv/installed: requirements.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	    echo "The book needs Python 3.11 or newer; '$(PYTHON)' is missing or older." \
	         "Name another one: make PYTHON=python3.12 ..."; exit 1; }
	@test -x $(BIN)/pip || $(PYTHON) -m venv .venv || { rm -rf .venv; exit 1; }
	@echo "Installing the pinned packages into .venv (about a minute)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --requirement requirements.txt
	@touch $@

.venv/installed-extras: .venv/installed requirements-extras.txt
	@echo "Installing nbgrader and Dask into .venv"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --requirement requirements-extras.txt
	@touch $@

.PHONY: help book pdf test test-extras lab serve notebooks bench picture clean
