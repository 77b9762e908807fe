# whycycles: `make site` does the main job, `make test` checks it. Neither needs root, a browser or a compiler from apt.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
JOBS ?= $(shell nproc 2>/dev/null || echo 2)
CAMPAIGN ?= default

.DEFAULT_GOAL := help
.PHONY: help venv site measure serve test test-slow lint publish clean

help: ## show this list
	@awk -F':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# a stamp per set of extras: reinstalled only when pyproject.toml changes
$(VENV)/.core: pyproject.toml
	@test -x $(BIN)/python || { echo "making $(VENV)"; $(PYTHON) -m venv $(VENV); }
	@echo "installing whycycles into $(VENV) (first time: some minutes)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	@touch $@

$(VENV)/.test: pyproject.toml $(VENV)/.core
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[test]'
	@touch $@

venv: $(VENV)/.core ## only install whycycles into .venv

site: $(VENV)/.core ## measure what changed, explain it, build the website into site/
	@$(BIN)/whycycles campaign $(CAMPAIGN) --jobs $(JOBS)
	@$(BIN)/whycycles site build

measure: $(VENV)/.core ## only measure (CAMPAIGN=default)
	@$(BIN)/whycycles campaign $(CAMPAIGN) --jobs $(JOBS)

serve: site ## build the site and serve it on http://127.0.0.1:8000
	@$(BIN)/whycycles site serve

test: $(VENV)/.test lint ## lint, types and the fast tests
	@$(BIN)/python -m pytest -q -n $(JOBS) --dist worksteal

test-slow: $(VENV)/.test ## the slow tests (every core, the fuzz tests, the browser)
	@$(BIN)/python -m pytest -q -n $(JOBS) --dist worksteal -m slow

lint: $(VENV)/.test
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

publish: site ## commit the site as a version to the branch gh-pages: make publish VERSION=1.0
	@test -n "$(VERSION)" || { echo "error: VERSION is missing"; echo "hint: make publish VERSION=1.0"; exit 2; }
	@$(BIN)/whycycles site publish "$(VERSION)"

clean: ## remove everything that was built (.venv stays)
	rm -rf site .whycycles build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis
