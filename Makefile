# Two commands matter: `make demo` runs the main job, `make test` runs the tests.
# Each does all its set-up on a fresh machine that has python3 with venv, and make.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PEER := .venv-peer

.DEFAULT_GOAL := help
.PHONY: help demo test check format docs bench clean

help:
	@echo "make demo    start a cluster and run examples/quickstart.py"
	@echo "make test    run every test"
	@echo "make check   lint, types, import contracts"
	@echo "make docs    build the documentation in build/docs/html; all its examples run"
	@echo "make bench   measure against the published ipyparallel, loky and dask"
	@echo "make clean   remove what this file made: environments, documentation"

$(VENV)/.base: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --editable .
	touch $@

$(VENV)/.dev: $(VENV)/.base
	$(BIN)/pip install --quiet --editable '.[dev]'
	touch $@

$(VENV)/.docs: $(VENV)/.base
	$(BIN)/pip install --quiet --editable '.[docs]'
	touch $@

$(VENV)/.bench: $(VENV)/.base
	$(BIN)/pip install --quiet --editable '.[bench]'
	touch $@

# The published package, in an environment of its own: interoperability tests and benchmarks.
$(PEER)/.ready: Makefile
	$(PYTHON) -m venv $(PEER)
	$(PEER)/bin/pip install --quiet 'ipyparallel==9.2.0' numpy
	touch $@

demo: $(VENV)/.base
	$(BIN)/python examples/quickstart.py

test: $(VENV)/.dev $(PEER)/.ready
	# most of them wait for other processes, most of the time
	IPP_PEER_PYTHON=$(abspath $(PEER))/bin/python $(BIN)/python -m pytest --numprocesses=2 --dist=loadfile

check: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(VENV)/.dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: $(VENV)/.docs
	$(BIN)/sphinx-build --fail-on-warning --keep-going --fresh-env --quiet docs build/docs/html

bench: $(VENV)/.bench $(PEER)/.ready
	$(BIN)/python -m benchmarks --peer-python $(abspath $(PEER))/bin/python

clean:
	rm -rf $(VENV) $(PEER) build/docs
