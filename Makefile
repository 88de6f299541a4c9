# On a machine with python3 (3.11 or newer), make and a package index, and a browser for the tests:
#   make run    set up, and run the pilot case
#   make test   set up, and check everything
# Nothing is installed outside .venv, and .venv-pywr1 and .venv-pywr2 for the benchmark against Pywr;
# but `make test` as root, on a Debian without a browser, installs chromium.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
INPUTS := pyproject.toml constraints.txt
CASE ?= pilot_sharing
JOBS ?= logical

.DEFAULT_GOAL := help
.PHONY: help run test lint types browser format bench bench-full docs validation pilot why pictures constraints clean

help:
	@echo "make run         set up, and run case $(CASE) (CASE=name for another)"
	@echo "make test        set up; lint, types, layers, tests and doctests (JOBS=0 for one after another)"
	@echo "make format      format the code and apply safe fixes"
	@echo "make bench       every benchmark at a quick size (bench-full: at the full sizes)"
	@echo "make docs        the manual, in docs/_build/html"
	@echo "make validation  results beside the record, docs/validation/red_river.md, written anew"
	@echo "make pilot       ways of sharing side by side, docs/pilot.md, written anew"
	@echo "make why         a drought explained, docs/why.md, written anew"
	@echo "make pictures    pictures of the README and the manual, drawn anew"
	@echo "make constraints freeze the newest versions that fit into constraints.txt"
	@echo "make clean       remove what was made, .venv included"

# --- environment: one stamp for each set of packages, renewed when a version changes ------------

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "wateralloc needs Python 3.11 or newer; name one with make PYTHON=python3.12"; exit 1; }
	@echo "== making $(VENV)"
	@$(PYTHON) -m venv $(VENV)

$(VENV)/.stamp-run: $(INPUTS) | $(BIN)/python
	@echo "== installing wateralloc and what it needs (a minute or two)"
	@$(PIP) install -c constraints.txt hatchling
	@$(PIP) install -c constraints.txt --no-build-isolation -e .
	@touch $@

$(VENV)/.stamp-%: $(INPUTS) | $(VENV)/.stamp-run
	@echo "== installing the packages for $*"
	@$(PIP) install -c constraints.txt --no-build-isolation -e '.[$*]'
	@touch $@

# --- tasks --------------------------------------------------------------------------------------

run: $(VENV)/.stamp-run
	@$(BIN)/wateralloc run $(CASE)

test: lint types browser
	@echo "== tests, layers and doctests"
	@$(BIN)/python -m pytest -n $(JOBS)

lint: $(VENV)/.stamp-test
	@echo "== ruff"
	@$(BIN)/ruff check --quiet .
	@$(BIN)/ruff format --quiet --check . || \
	  { $(BIN)/ruff format --check .; echo "run: make format"; exit 1; }

types: $(VENV)/.stamp-test
	@echo "== mypy"
	@$(BIN)/mypy

# Reports are looked at in a real one.
browser: $(VENV)/.stamp-test
	@$(BIN)/python -m tests.browser.chromium

format: $(VENV)/.stamp-test
	@$(BIN)/ruff check --quiet --fix . || true
	@$(BIN)/ruff format .

bench: $(VENV)/.stamp-bench
	@$(BIN)/python -m benchmarks

bench-full: $(VENV)/.stamp-bench
	@$(BIN)/python -m benchmarks --full

docs: $(VENV)/.stamp-docs
	@echo "== manual"
	@$(BIN)/sphinx-build --quiet -W --keep-going docs docs/_build/html
	@echo "docs/_build/html/index.html"

validation: $(VENV)/.stamp-docs
	@echo "== results beside the record (some minutes)"
	@$(BIN)/python -m docs.validation
	@echo "docs/validation/red_river.md"

pilot: $(VENV)/.stamp-docs
	@echo "== ways of sharing side by side (some minutes)"
	@$(BIN)/python -m docs.pilot
	@echo "docs/pilot.md"

why: $(VENV)/.stamp-docs
	@echo "== a drought explained (some minutes)"
	@$(BIN)/python -m docs.why
	@echo "docs/why.md"

pictures: $(VENV)/.stamp-docs
	@echo "== pictures of the README and the manual (a minute or two)"
	@$(BIN)/python -m docs.pictures
	@echo "docs/pilot_*.svg"

# An environment of its own, so that no version is kept only because it is there.
constraints:
	@rm -rf $(VENV)-constraints && $(PYTHON) -m venv $(VENV)-constraints
	@$(VENV)-constraints/bin/python -m pip install -q '.[test,docs,bench]'
	@{ sed -n '/^#/p' constraints.txt; \
	   $(VENV)-constraints/bin/python -m pip freeze --exclude wateralloc; } > constraints.new
	@mv constraints.new constraints.txt && rm -rf $(VENV)-constraints

clean:
	rm -rf $(VENV) $(VENV)-constraints $(VENV)-pywr1 $(VENV)-pywr2 build dist docs/_build docs/_generated docs/reference
	rm -rf .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	find wateralloc tests benchmarks docs -name __pycache__ -prune -exec rm -rf {} +
