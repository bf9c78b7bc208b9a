# Each target sets up what it needs: `.venv` is created once, and updated when the pinned versions change.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
DEV_READY := $(VENV)/.dev-ready

export DAGSTER_DISABLE_TELEMETRY := 1
export DBT_SEND_ANONYMOUS_USAGE_STATS := false

.PHONY: run test ui sql docs bench lint

run: $(READY)
	@$(BIN)/python -m pipeline run

test: $(DEV_READY)
	$(BIN)/python -m pytest

ui: $(READY)
	@$(BIN)/python -m pipeline ui

sql: $(READY)
	@$(BIN)/python -m pipeline sql

docs: $(READY)
	@$(BIN)/python -m pipeline docs

bench: $(DEV_READY)
	@$(BIN)/python -m benchmarks

lint: $(DEV_READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m pipeline.models.dbt --warn-error --quiet parse
	$(BIN)/sqlfluff lint dbt_project/models dbt_project/tests/*.sql

$(READY): pyproject.toml constraints.txt
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "Installing (once) …"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e .
	@touch $@

$(DEV_READY): $(READY)
	@echo "Installing what tests and linters need (once) …"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@
