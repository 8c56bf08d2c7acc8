# Every target works on a fresh clone with nothing but Python >= 3.10 and make.
# Another interpreter: make demo PYTHON=python3.12. Another place: make demo VENV=~/venvs/gandiag.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install -q -c constraints.txt

.PHONY: demo test lint types dist check clean

demo: $(VENV)/.installed  ## a failing game and its cure, and a page about each
	$(BIN)/gandiag run mode_collapse
	$(BIN)/gandiag run mode_collapse_cured

test: $(VENV)/.tools  ## all tests, in parallel with one thread each
	OMP_NUM_THREADS=1 $(BIN)/pytest -n auto --cov

lint: $(VENV)/.tools
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.tools
	$(BIN)/mypy

dist: $(VENV)/.tools  ## the wheel and the source archive, as an index would take them
	$(BIN)/python -m build --no-isolation --outdir dist .
	$(BIN)/twine check --strict dist/*

check: lint types dist test  ## everything that must hold before a change is merged

$(VENV)/.installed: pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "Installing gandiag; torch is large, this can take a few minutes."
	$(PIP) -e .
	touch $@

$(VENV)/.tools: $(VENV)/.installed
	$(PIP) -e ".[test]"
	touch $@

clean:
	rm -rf $(VENV) dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
