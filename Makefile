# Each target sets up what it needs: `.venv` is created once, and updated when the pinned versions change.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
DEV_READY := $(VENV)/.dev-ready
# uv installs the same pinned versions several times as fast as pip, and compiles them, so that the first run need not.
# It does not read pip's configuration: where only that leads to an index, pip installs.
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt
UV := $(BIN)/python -m uv pip install --python $(BIN)/python --compile-bytecode -c constraints.txt
# uv reports what it resolves, downloads, installs and compiles; its list of all packages at the end is left out.
install = rm -f $(VENV)/.installed; \
	{ $(PIP) uv && $(UV) -e '$(1)' && touch $(VENV)/.installed; } 2>&1 | sed '/^ [-+~] /d'; \
	test -e $(VENV)/.installed || { echo "uv can't install here; pip does, in some minutes …"; $(PIP) -e '$(1)'; }

# A virtual environment contains the path of its folder. In a folder that was moved or copied, it would run the program
# of the other one.
ifneq ($(wildcard $(READY)),)
INSTALLED_IN := $(shell cat $(READY))
ifneq ($(INSTALLED_IN),$(if $(INSTALLED_IN),$(CURDIR)))
$(error $(VENV) was made in $(INSTALLED_IN), not here. Make it again: rm -r $(VENV); make run)
endif
ifneq ($(shell test -x $(BIN)/python || echo missing),)
$(error $(VENV) names a Python that this machine does not have. Make it again: rm -r $(VENV); make run)
endif
endif

export DAGSTER_DISABLE_TELEMETRY := 1
export DBT_SEND_ANONYMOUS_USAGE_STATS := false

.PHONY: run test ui sql docs layout bench lint

run: $(READY)
	@$(BIN)/python -m pipeline run

test: $(DEV_READY)
	$(BIN)/python -m pytest

ui: $(READY)
	@$(BIN)/python -m pipeline ui $(if $(PORT),--port '$(PORT)')

sql: $(READY)
	@$(BIN)/python -m pipeline sql

docs: $(READY)
	@$(BIN)/python -m pipeline docs

layout: $(READY)
	@$(BIN)/python -m pipeline inspect --write '$(FILE)'

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
	@test -x $(BIN)/python || { echo "Making $(VENV) with $$($(PYTHON) --version) …"; $(PYTHON) -m venv $(VENV); }
	@echo "Installing into $(VENV), once; this takes a minute or two …"
	@$(call install,.)
# The first run need not parse the dbt project. If that fails, its message is left to the run, whose settings it is about.
	@$(BIN)/python -m pipeline.models.manifest >/dev/null 2>&1 || true
	@echo '$(CURDIR)' > $@

$(DEV_READY): $(READY)
	@echo "Installing what tests and linters need (once) …"
	@$(call install,.[dev])
	@touch $@
