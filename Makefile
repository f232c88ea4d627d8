# Everything runs in .venv, made by `python3 -m venv` and filled at the versions of constraints.txt.
# A stamp per set of extras remembers what is installed, so a second call starts at once.
#
#   PYTHON=python3.12    another interpreter for .venv
#   PIP_FLAGS="..."      passed to pip, e.g. --extra-index-url https://download.pytorch.org/whl/cpu for torch without CUDA

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DELETE_ON_ERROR:
MAKEFLAGS += --no-builtin-rules

PYTHON ?= python3
PIP_FLAGS ?=
ARGS ?=
UPSTREAM ?= $(NECKAR_UPSTREAM)

BIN := .venv/bin
PYTEST := $(BIN)/pytest --numprocesses 2 --dist loadfile
STAMPS := .venv/stamps
INPUTS := $(STAMPS)/venv pyproject.toml constraints.txt

export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: help demo test test-slow lint bench ledger docs compat clean
.DEFAULT_GOAL := help

help:  ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' Makefile

demo: $(STAMPS)/demo  ## run the first experiment and draw its figure
	$(BIN)/neckar demo $(ARGS)

test: $(STAMPS)/test  ## fast tests, minutes
	$(PYTEST) -m "not slow" $(ARGS)

test-slow: $(STAMPS)/slow  ## studies, oracles, trainings
	$(PYTEST) -m slow $(ARGS)

lint: $(STAMPS)/test  ## ruff, mypy, import contract
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(STAMPS)/demo  ## speed of the chip on this machine
	$(BIN)/neckar bench chip $(ARGS)

ledger: $(STAMPS)/demo  ## measure the tables of the ledger again: a thousand virtual chips, minutes
	$(BIN)/python benchmarks/ledger_one_neuron.py --write
	$(BIN)/python benchmarks/ledger_whole_chip.py --write
	$(BIN)/python benchmarks/ledger.py --write $(ARGS)

docs: $(STAMPS)/docs  ## documentation as HTML in docs/_build
	$(BIN)/sphinx-build -W --keep-going -q -b html docs docs/_build
	@echo "docs/_build/index.html"

compat: $(STAMPS)/test  ## run upstream's notebooks and tests: make compat UPSTREAM=<folder of checkouts>
	$(BIN)/python tests/compat/upstream.py $(UPSTREAM) $(ARGS)

clean:  ## remove .venv, caches and built files
	rm -rf .venv build dist out docs/_build .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# Installation. $(call install,extras,stamps that this installation also satisfies)
define install
@echo "==> installing neckar[$(1)] into .venv"
@$(BIN)/pip install --progress-bar off -c constraints.txt $(PIP_FLAGS) -e '.[$(1)]' | sed -u -n 's/^Collecting \([A-Za-z0-9_.-]*\).*/    \1/p; s/^Installing collected.*/    unpacking/p'
@touch $(addprefix $(STAMPS)/,$(2))
endef

$(STAMPS)/venv:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Neckar needs Python 3.11 or newer; choose one with make PYTHON=...")'
	@echo "==> creating .venv"
	@$(PYTHON) -m venv .venv
	@mkdir -p $(STAMPS) && touch $@

$(STAMPS)/demo: $(INPUTS)
	$(call install,plot,demo)

$(STAMPS)/test: $(INPUTS)
	$(call install,$(EXTRAS_TEST),demo test)

$(STAMPS)/slow: $(INPUTS)
	$(call install,$(EXTRAS_SLOW),demo test slow)

$(STAMPS)/docs: $(INPUTS)
	$(call install,docs,docs)

# a comma inside $(call ...) would split its argument
EXTRAS_TEST := plot,notebook,ppu,dev
EXTRAS_SLOW := plot,notebook,ppu,dev,oracle,studies,torch
