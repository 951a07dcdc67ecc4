# `make help` lists what can be made. Everything runs in .venv, or in the virtual environment that is active.
VENV := $(if $(VIRTUAL_ENV),$(VIRTUAL_ENV),.venv)
BIN := $(VENV)/bin
PYTHON ?= python3
INSTALLED := $(VENV)/.ex3-installed
EX3 := $(BIN)/ex3
RATES := artifacts-of-rates

.DEFAULT_GOAL := help
.PHONY: all install report train rates test bench lint readme wheel-check clean help

all: install  ## every answer from the shipped runs and from what can be computed at once, and the report
	$(EX3) doctor
	$(EX3) report --make

install: $(INSTALLED)  ## the virtual environment with ex3 and the tools for its tests

$(INSTALLED): pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --editable '.[dev]'
	touch $@

report: install  ## artifacts/report/index.html, and report.pdf where a browser is here
	$(EX3) report

train: install  ## every training that ex3 ships, anew (needs the data sets; hours); again, it goes on where it stopped
	$(EX3) runs reproduce --into $(or $(EX3_ARTIFACTS),artifacts)

rates: install  ## the thirty trainings that the failure rates are of, and their count (needs Fashion-MNIST; hours); again, it goes on
	$(BIN)/python tests/benchmarks/failure_rates.py --artifacts $(RATES)

test: install  ## the whole test suite (with EX3_DATA set, on the real data too)
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses auto --maxprocesses 4

bench: install  ## speed, as ratios within one run; keep other work off the machine
	@for file in tests/benchmarks/bench_*.py; do echo "== $$file"; $(BIN)/python $$file || exit 1; done

lint: install  ## ruff and the type checker
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

readme: install  ## the README's tables and transcripts, anew (minutes); ONLY="gan history" does those that say so
	$(BIN)/python .ci/readme.py $(ONLY)

wheel-check: install  ## a wheel in an empty environment elsewhere says and draws the same as this checkout
	$(BIN)/python .ci/wheel_check.py

clean:  ## caches and builds; never artifacts/
	rm -rf build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -not -path './.venv/*' -prune -exec rm -rf {} +

help:  ## this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## */  make \1\t/' | expand -t 20
