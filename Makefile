# `make help` lists what can be made. Everything runs in .venv, or in the virtual environment that is active.
VENV := $(if $(VIRTUAL_ENV),$(VIRTUAL_ENV),.venv)
BIN := $(VENV)/bin
PYTHON ?= python3
INSTALLED := $(VENV)/.ex3-installed
EX3 := $(BIN)/ex3
RATES := artifacts-of-rates
LOWEST := .venv-lowest
PYTEST := -m pytest --numprocesses auto --maxprocesses 4 --dist worksteal
PORTABLE := "trains and (numbers or not end_to_end)"
ORDER ?= 1

# or each of the many processes of the tests compiles every module that it imports
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: all install report train rates test test-portable test-elsewhere test-lowest bench lint readme transcripts figures stock wheel-check clean help

all: install  ## every answer from the shipped runs and from what can be computed at once, and the report
	$(EX3) doctor
	$(EX3) report --make

install: $(INSTALLED)  ## the virtual environment with ex3 and the tools for its tests

$(INSTALLED): pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --editable '.[dev]'
	touch $@

report: install  ## artifacts/report/: index.html, report.pdf and its source
	$(EX3) report

train: install  ## every training that ex3 ships, anew (needs the data sets; hours); again, it goes on where it stopped
	$(EX3) runs reproduce --into $(or $(EX3_ARTIFACTS),artifacts)

rates: install  ## the thirty trainings that the failure rates are of, and their count (needs Fashion-MNIST; hours); again, it goes on
	OMP_NUM_THREADS=1 $(EX3) gan sweep --kind dcgan --kind wgan --kind wgan-clip --seeds 0-9 --artifacts $(RATES)
	$(EX3) gan history --artifacts $(RATES)

test: install  ## the whole test suite (with EX3_DATA set, on the real data too)
	OMP_NUM_THREADS=1 $(BIN)/python $(PYTEST)

test-portable: install  ## the tests that train, with the instructions of two older processors
	OMP_NUM_THREADS=1 ONEDNN_MAX_CPU_ISA=SSE41 ATEN_CPU_CAPABILITY=default $(BIN)/python $(PYTEST) -m $(PORTABLE)
	OMP_NUM_THREADS=1 ONEDNN_MAX_CPU_ISA=AVX2 ATEN_CPU_CAPABILITY=avx2 $(BIN)/python $(PYTEST) -m $(PORTABLE)

test-elsewhere: install  ## the others in another order (ORDER=2), in a narrow terminal and the C locale, without docstrings
	OMP_NUM_THREADS=1 LC_ALL=C COLUMNS=40 PYTHONOPTIMIZE=2 EX3_TEST_ORDER=$(ORDER) \
		$(BIN)/python $(PYTEST) -W ignore::pytest.PytestConfigWarning -W "ignore:invalid escape" -m "not trains"

test-lowest: $(LOWEST)/.installed  ## all but GANs with the lowest versions of everything but torch (needs a package index)
	OMP_NUM_THREADS=1 $(LOWEST)/bin/python $(PYTEST) -W ignore::DeprecationWarning --ignore tests/gan

$(LOWEST)/.installed: pyproject.toml .ci/lowest.py | install
	$(BIN)/python .ci/lowest.py $(LOWEST)
	touch $@

bench: install  ## speed, as ratios within one run; keep other work off the machine
	@for file in tests/benchmarks/bench_*.py; do echo "== $$file"; $(BIN)/python $$file || exit 1; done

lint: install  ## ruff and the type checker
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

readme: install  ## the generated tables of README.md and artifacts/reference/README.md
	$(BIN)/python .ci/readme.py

transcripts: install  ## run the commands of tests/transcripts/ again (minutes), then the same; ONLY="doctor gan-sample" for some
	$(BIN)/python .ci/readme.py transcripts $(ONLY)

figures: install  ## the figures of the bundled runs, drawn again from the numbers in them
	$(BIN)/python .ci/figures.py

stock: install  ## the bundled real test images of ex3cli/datasets/stock (needs the data sets)
	$(BIN)/python .ci/stock.py

wheel-check: install  ## a wheel in an empty environment gives the same numbers and images as this checkout
	$(BIN)/python .ci/wheel_check.py

clean:  ## caches and builds; never artifacts/
	rm -rf $(LOWEST) build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -not -path './.venv*' -prune -exec rm -rf {} +

help:  ## this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## */  make \1\t/' | expand -t 24
