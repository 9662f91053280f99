# make demo   the main job, on a lake it generates        make test   linters and tests
# Both set up .venv first, from hash-pinned requirements; a second run installs nothing.

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo test lint format soak bench lock clean

VENV := .venv
BIN := $(VENV)/bin
# One more than there are processors: many tests wait, for daemons, leases and browsers.
PYTEST_WORKERS ?= $(shell python3 -c "import os; print((os.cpu_count() or 1) + 1)" 2>/dev/null || echo auto)
PIP_INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check
COMPILE_GROUP := uv pip compile --universal --python-version 3.11 --generate-hashes --quiet \
	--no-emit-index-url --no-header --no-annotate --no-strip-extras
COMPILE := $(COMPILE_GROUP) pyproject.toml

help:
	@echo "make demo    generate a lake, break one device under a stable total, show the alert"
	@echo "make test    linters, types, import contracts, tests"
	@echo "make lint    the first three of these"
	@echo "make format  let the formatter write"
	@echo "make soak    the tests that take minutes"
	@echo "make bench   the benchmarks"
	@echo "make lock    compile requirements/*.txt again"
	@echo "make clean   remove what these made"

demo: $(VENV)/run.stamp
	$(BIN)/slicewatch demo

test: lint
	$(BIN)/pytest -n $(PYTEST_WORKERS) --dist loadgroup -m "not soak"

lint: $(VENV)/dev.stamp
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(VENV)/dev.stamp
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

soak: $(VENV)/dev.stamp
	$(BIN)/pytest -n $(PYTEST_WORKERS) --dist loadgroup -m soak --timeout 7200

bench: $(VENV)/dev.stamp
	@set -e; for program in $$(grep -l __main__ benchmarks/*.py); do echo "== $$program"; $(BIN)/python "$$program"; done

# uv (pip install uv) resolves for every Python and platform at once. With `UPGRADE=--upgrade` it takes newer versions.
lock:
	$(COMPILE) $(UPGRADE) --group build --output-file requirements/run.txt
	$(COMPILE) $(UPGRADE) --group dev --output-file requirements/dev.txt
	$(COMPILE) $(UPGRADE) --all-extras --output-file requirements/image.txt
	$(COMPILE_GROUP) $(UPGRADE) --group build --output-file requirements/build.txt

clean:
	rm -rf $(VENV) demo dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .coverage htmlcov

# The first Python that is new enough and can make environments; PYTHON=... names another.
$(BIN)/python:
	@for python in $(PYTHON) python3.13 python3.12 python3.11 python3 python; do \
		if "$$python" -c 'import sys, ensurepip, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
			echo "$(VENV): $$("$$python" --version)"; exec "$$python" -m venv --clear $(VENV); \
		fi; \
	done; \
	echo "No Python 3.11 or later with venv found. Install one, or name it: make PYTHON=/path/to/python3 ..." >&2; \
	exit 1

$(VENV)/run.stamp: requirements/run.txt pyproject.toml | $(BIN)/python
	$(PIP_INSTALL) --require-hashes --requirement requirements/run.txt
	$(PIP_INSTALL) --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/dev.stamp: requirements/dev.txt pyproject.toml | $(BIN)/python
	$(PIP_INSTALL) --require-hashes --requirement requirements/dev.txt
	$(PIP_INSTALL) --no-deps --no-build-isolation --editable .
	@touch $@ $(VENV)/run.stamp
