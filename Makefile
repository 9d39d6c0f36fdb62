# make help          what there is
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help
# two recipes at once would disturb each other's numbers
.NOTPARALLEL:

PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
PIP    := $(BIN)/python -m pip --disable-pip-version-check --quiet
WHEELS := --only-binary :all: --require-hashes
SUITE  ?= quick

.PHONY: help setup bench bench-engine chaos reference test check format lock clean

help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-13s %s\n", $$1, $$2}'

setup: $(VENV)/.setup ## make .venv with what gatebench needs to run (done once)

bench: $(VENV)/.setup ## measure the suite quick and draw its report (SUITE=name for another)
	$(BIN)/gatebench run $(SUITE)

bench-engine: $(VENV)/.setup-dev ## hold the load engine against wrk
	$(BIN)/python bench/engine.py

chaos: $(VENV)/.setup-dev ## what gatebench survives: faults at random moments of small runs (OPTIONS=--help)
	$(BIN)/python bench/chaos.py $(OPTIONS)

reference: $(VENV)/.setup ## quote a run in the README (RUN=results/...; without it, all anew)
	$(BIN)/python bench/reference.py $(RUN)

test: $(VENV)/.setup-dev ## run the tests (TESTS="tests/judge -x" for some, in one process)
ifeq ($(strip $(TESTS)),)
	status=0; $(BIN)/python -m pytest -n 2 --dist loadfile -m "not live or beside" || status=1; \
	$(BIN)/python -m pytest -m "live and not beside" || status=1; exit $$status
else
	$(BIN)/python -m pytest $(TESTS)
endif

check: $(VENV)/.setup-dev ## formatting, lint, types, and that imports only point down
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(VENV)/.setup-dev ## format the code and mend what the linter can mend
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

# Universal: one file for every Python from 3.11 on. uv leaves the address of the registry out unless told otherwise.
LOCK := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --fork-strategy fewest --no-header \
	--no-annotate --generate-hashes $(LOCKFLAGS)

lock: $(VENV)/.setup-dev ## pin the dependencies anew (LOCKFLAGS=--upgrade for newer ones)
	$(LOCK) pyproject.toml -o requirements.txt
	$(LOCK) --group pyproject.toml:dev -c requirements.txt -o requirements-dev.txt

clean: ## remove the environment and what the tools left; results/ stays
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV)/bin/python:
	@command -v $(PYTHON) >/dev/null || { echo "gatebench needs Python 3.11 or newer: $(PYTHON) was not found." \
	  "Install it, or name it: make PYTHON=/path/to/python3.11 $(MAKECMDGOALS)" >&2; exit 2; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "gatebench needs Python 3.11 or newer:" \
	  "$(PYTHON) is $$($(PYTHON) -c 'import platform; print(platform.python_version())')." \
	  "Name another: make PYTHON=/path/to/python3.11 $(MAKECMDGOALS)" >&2; exit 2; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { echo "$(PYTHON) has no venv module." \
	  "On Debian and Ubuntu: apt-get install python3-venv" >&2; exit 2; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.setup: requirements.txt pyproject.toml | $(VENV)/bin/python
	@echo "Installing gatebench into $(VENV) (once)"
	$(PIP) install $(WHEELS) -r requirements.txt
	$(PIP) install --no-deps --editable .
	@touch $@

$(VENV)/.setup-dev: requirements-dev.txt | $(VENV)/.setup
	@echo "Installing the tests and linters into $(VENV) (once)"
	$(PIP) install $(WHEELS) -r requirements-dev.txt
	@touch $@
