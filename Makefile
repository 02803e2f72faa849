# Every target sets up what it needs; nothing is installed twice. `make help` lists them.
.DEFAULT_GOAL := help
SHELL := /bin/sh
PYTHON ?= python3
UV_VERSION := 0.13.9
VENV := .venv
BOOT := .kefu/boot
BIN := $(VENV)/bin
UV := $(BOOT)/bin/uv

.PHONY: help run test lint format airflow bench lock clean

help: ## list the targets
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

run: $(VENV)/.runtime ## set up, then load the samples and a simulated month, build, check, publish, close the demo period
	@$(BIN)/kefu run --close --simulated

test: $(VENV)/.development ## set up, then run all tests
	@# One more than two cores: each waits for its server part of the time.
	@$(BIN)/python -m pytest -q --numprocesses 3 --dist loadfile --no-loadscope-reorder

lint: $(VENV)/.development ## every static check, in check mode
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	$(BIN)/kefu config check
	$(BIN)/kefu config generate --check
	$(BIN)/sqlfluff lint --disable-progress-bar dbt_project/models dbt_project/tests
	KEFU_DBT_TARGET=../.kefu/dbt-parse DBT_LOG_PATH=.kefu/dbt-parse $(BIN)/dbt parse --quiet --project-dir dbt_project --profiles-dir dbt_project

format: $(VENV)/.development ## rewrite Python in the project's format
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

airflow: $(VENV)/.runtime ## start a local Airflow on the embedded PostgreSQL
	@$(BIN)/python -m kefu.airflow_local

bench: $(VENV)/.runtime ## measure loading side by side with bare COPY, the simulator, and the models side by side with SQL by hand
	@$(BIN)/python benchmarks/load.py
	@$(BIN)/python benchmarks/simulate.py
	@$(BIN)/python benchmarks/warehouse.py

lock: $(UV) ## resolve pyproject.toml into the hash-locked requirements
	$(UV) pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-strip-extras --python-version 3.11 --custom-compile-command "make lock" pyproject.toml -o requirements.txt
	$(UV) pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-strip-extras --python-version 3.11 --custom-compile-command "make lock" --extra dev -c requirements.txt pyproject.toml -o requirements-dev.txt

clean: ## stop the embedded server and remove everything that can be made again
	@if [ -x $(BIN)/kefu ] && [ -f .env ]; then $(BIN)/kefu warehouse stop || true; fi
	rm -rf $(VENV) .kefu dbt_project/target dbt_project/logs logs .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache

$(UV):
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' \
	  || { echo "Kefu needs Python 3.11, 3.12 or 3.13; found $$($(PYTHON) --version 2>&1). Set PYTHON=..."; exit 1; }
	@echo "setting up in $(VENV) with uv $(UV_VERSION)"
	@$(PYTHON) -m venv $(BOOT) || { echo "the venv module is missing: install it (Debian: apt-get install python3-venv)"; exit 1; }
	@$(BOOT)/bin/pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)

$(VENV)/bin/python: $(UV)
	@test -x $@ || $(UV) venv --quiet --python $(PYTHON) $(VENV)

# A development environment holds the runtime too, so `make run` after `make test` installs nothing.
$(VENV)/.runtime: requirements.txt pyproject.toml | $(VENV)/bin/python
	@if [ ! -f $(VENV)/.development ] || [ requirements-dev.txt -nt $(VENV)/.development ]; then \
	  $(UV) pip sync --compile-bytecode --python $(BIN)/python --require-hashes requirements.txt && \
	  $(UV) pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable . ; fi
	@touch $@

$(VENV)/.development: requirements-dev.txt pyproject.toml | $(VENV)/bin/python
	@$(UV) pip sync --compile-bytecode --python $(BIN)/python --require-hashes requirements-dev.txt
	@$(UV) pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .
	@touch $@ $(VENV)/.runtime
