# `make help` tells what there is; the work itself stands in tools/ and examples/.
SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help setup setup-dev demo check test-fast test rights format constraints lock clean

DATA_DIR ?= .demo
PORT ?= 8080
SERVE ?= 1
MODEL ?=
TESTERS ?= 2
EXAMPLES ?= 2000

BIN := .venv/bin
TIMES := --junitxml=.pytest_cache/times.xml -o junit_duration_report=total # see tools/test_times.py

help: ## Show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | sort | expand -t 14
	@echo
	@echo 'make demo SERVE=0                 end after printing, serve no page'
	@echo 'make demo MODEL=/path/model.gguf  let a capable model of yours write the answers'
	@echo 'make demo DATA_DIR=/data PORT=80  data folder and port'
	@echo 'make test TESTERS=1               how many processes test at a time (2; each takes some 5 GB)'
	@echo 'make setup PYTHON=python3.12      which Python; tools/setup.sh tells what else can be set'

setup: ## Make .venv with everything that running needs
	@tools/setup.sh app

setup-dev: ## The same with what the tests need
	@tools/setup.sh dev

demo: ## Take in examples/documents, ask three questions, open the page
	@tools/setup.sh extracts
	@$(BIN)/python examples/demo.py --data-dir '$(DATA_DIR)' --port '$(PORT)' \
		$(if $(MODEL),--model '$(MODEL)') \
		$(if $(filter 0 no false,$(SERVE)),--no-serve) \
		$(if $(DISPLAY)$(WAYLAND_DISPLAY),--open-browser)

check: setup-dev ## Format, style, types, imports: under a minute
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

test-fast: check ## The same, and the tests without a model, a browser or a namespace
	$(BIN)/python -m pytest -n $(TESTERS) --dist loadfile --no-loadscope-reorder $(TIMES) -m 'not model and not browser and not namespace'

test: check ## Everything a change must pass: the checks, then all tests
	$(BIN)/python -m pytest -n $(TESTERS) --dist loadfile --no-loadscope-reorder $(TIMES)

rights: setup-dev ## Each door with EXAMPLES random people, words and choices against the rule (2,000: an hour)
	RIGHTS_EXAMPLES=$(EXAMPLES) $(BIN)/python -m pytest tests/rights/test_doors.py

format: setup-dev ## Put the code into shape
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

constraints: setup-dev ## Write constraints.txt from what is installed
	$(BIN)/python tools/constraints.py

lock: ## Write requirements.lock, hashes and all, from constraints.txt; needs the package index
	@PIP_REQUIRE_HASHES=1 $(BIN)/python -m pip install --quiet -c requirements.lock --group lock
	$(BIN)/python tools/lock.py

clean: ## Remove .venv, the demo's data and caches
	rm -rf .venv .demo build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis \
		.import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
