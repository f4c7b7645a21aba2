# Everything a clean machine with Python 3.11+ and make needs; each target sets itself up.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
DEMO_HOME := $(CURDIR)/.demo
PLAN := dags/plans/weekly-newsletter.vibe.yaml

.DEFAULT_GOAL := help
.PHONY: help setup demo test e2e check lint types bench clean

help: ## Show the targets
	@grep -E '^[a-z0-9]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 10

$(INSTALLED): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Python 3.11 or newer is needed; name one with: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "installing into $(VENV), a minute or two the first time"
	@if command -v uv >/dev/null; then \
	  uv pip install --quiet --python $(BIN)/python --constraint constraints.txt --editable '.[dev]'; \
	else \
	  $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'; \
	fi
	@touch $@

setup: $(INSTALLED) ## Make the virtual environment

demo: $(INSTALLED) ## Run the newsletter plan through Airflow, here and now
	@AIRFLOW_HOME=$(DEMO_HOME) AIRFLOW__CORE__LOAD_EXAMPLES=False $(BIN)/airflow vibe run $(PLAN)

test: $(INSTALLED) ## Run the tests that need nothing but this folder
	$(BIN)/pytest -n 2 -q -m "not e2e"

e2e: $(INSTALLED) ## Run the tests on real Airflow processes with PostgreSQL
	$(BIN)/pytest -q -m e2e

lint: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(INSTALLED)
	$(BIN)/mypy
	$(BIN)/mypy --strict airflow_provider_vibe/plan airflow_provider_vibe/runtime
	$(BIN)/lint-imports

check: lint types test e2e ## Everything CI runs

bench: $(INSTALLED) ## Measure, side by side in one run
	$(BIN)/python -m benchmarks

clean: ## Remove what the other targets made
	rm -rf $(VENV) $(DEMO_HOME) .airflow .pytest_cache .mypy_cache .ruff_cache .hypothesis
