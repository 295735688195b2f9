# `make demo`: from a fresh clone to results/report.html. `make test`, `make check`: before a commit.
# `make gpu`: tests and measurements on a machine that has one.
# Needs Python 3.11 or newer with pip, and a C compiler; everything else goes into .venv.
PYTHON ?= python3
CORES ?= 2
VENV := .venv
BIN := $(CURDIR)/$(VENV)/bin
PIP := $(PYTHON) -m pip --python $(VENV)/bin/python --disable-pip-version-check

.PHONY: demo test check gpu install clean

demo: $(VENV)/.workflow
	PATH="$(BIN):$$PATH" snakemake --configfile config/demo.yaml --cores $(CORES)
	@echo "The report is $(CURDIR)/results/report.html"

# One thread each: the tests run side by side.
test: $(VENV)/.dev
	OMP_NUM_THREADS=1 $(BIN)/pytest -n 2 -m "not slow and not gpu and not slurm"

check: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/snakefmt --check Snakefile workflow
	$(BIN)/snakemake --lint

# All that needs a GPU, with whatever Python has torch and triton there (pydantic too for the last):
# PYTHON=python3 make gpu
gpu:
	PYTHONPATH=src $(PYTHON) -m pytest -n 8 -m gpu tests/ops
	PYTHONPATH=src $(PYTHON) -m hyenadna doctor
	PYTHONPATH=src $(PYTHON) -m hyenadna bench long-conv --against torch.fft --out results/bench/long_conv
	PYTHONPATH=src $(PYTHON) -m hyenadna bench operators --out results/bench/operators
	PYTHONPATH=src $(PYTHON) -m hyenadna bench attention --out results/bench/attention
	PYTHONPATH=src $(PYTHON) -m hyenadna bench model --out results/bench/model

install: $(VENV)/.dev

clean:
	rm -rf results

$(VENV)/bin/python:
	@$(PYTHON) -c "import sys; v = sys.version_info; \
	v >= (3, 11) or sys.exit('Python 3.11 or newer is needed, $(PYTHON) is %d.%d; try make PYTHON=python3.11' % v[:2])"
	$(PYTHON) -m venv --without-pip $(VENV)

$(VENV)/.workflow: pyproject.toml | $(VENV)/bin/python
	$(PIP) install --quiet pip --editable '.[workflow]'
	@touch $@

$(VENV)/.dev: $(VENV)/.workflow
	$(PIP) install --quiet --editable '.[workflow,dev]'
	@touch $@
