# `make help` lists what can be made. Everything runs in .venv, or in the virtual environment that is active.
VENV := $(if $(VIRTUAL_ENV),$(VIRTUAL_ENV),.venv)
BIN := $(VENV)/bin
PYTHON ?= python3
INSTALLED := $(VENV)/.ex3-installed

.DEFAULT_GOAL := help
.PHONY: all install test bench lint clean help

all: install  ## every answer from the shipped runs and from what can be computed at once
	$(BIN)/ex3 doctor
	$(BIN)/ex3 divergence
	$(BIN)/ex3 complexity
	$(BIN)/ex3 vae eval
	$(BIN)/ex3 vae eval --dataset mnist
	$(BIN)/ex3 gan sample --kind dcgan --label dress -n 2
	$(BIN)/ex3 gan sample --kind wgan --label dress -n 2
	$(BIN)/ex3 classifier eval
	$(BIN)/ex3 gan eval --kind dcgan
	$(BIN)/ex3 gan eval --kind wgan
	$(BIN)/ex3 gan compare --label dress
	$(BIN)/ex3 gan history

install: $(INSTALLED)  ## the virtual environment with ex3 and the tools for its tests

$(INSTALLED): pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --editable '.[dev]'
	touch $@

test: install  ## the whole test suite (with EX3_DATA set, on the real data too)
	$(BIN)/python -m pytest

bench: install  ## speed, as ratios within one run; keep other work off the machine
	@for file in tests/benchmarks/bench_*.py; do echo "== $$file"; $(BIN)/python $$file || exit 1; done

lint: install  ## ruff and the type checker
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

clean:  ## caches and builds; never artifacts/
	rm -rf build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -not -path './.venv/*' -prune -exec rm -rf {} +

help:  ## this list
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## */  make \1\t/' | expand -t 18
