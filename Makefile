# demo and test set up everything they need; see README.md.
.DEFAULT_GOAL := help
SHELL := /bin/sh
BIN := .venv/bin

# parts whose branch coverage must not fall below 90 %, each by itself
CORE := spec store engine
# tests run in so many processes
WORKERS ?= 2

.PHONY: help setup demo test torture sizes check dev bench screenshot reference clean

help:  ## show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "make %-12s %s\n", $$1, $$2}' Makefile

setup:  ## install the locked packages into .venv
	@scripts/bootstrap

demo: setup  ## run the demo pipelines on real data and print what happened
	@$(BIN)/python -m platform_pipelines.demo

test: setup  ## run all tests; ARGS="-k word" for some. All: fails below 90 % coverage of spec, store, engine
	@$(BIN)/coverage erase
	$(BIN)/pytest -n $(WORKERS) --dist loadgroup --cov --cov-branch --cov-report= $(ARGS)
	@for part in $(if $(ARGS),,$(CORE)); do \
		if report=$$($(BIN)/coverage report --include="platform_pipelines/$$part/*" --fail-under=90); then \
			echo "$$report" | sed -n "s|^TOTAL.* \([0-9.]*%\).*|branch coverage of $$part: \1|p"; \
		else \
			echo "$$report"; echo "make test: branch coverage of platform_pipelines/$$part is below 90 %"; exit 1; \
		fi; \
	done

torture: setup  ## die at every moment of every kind of run, then by 1,000 SIGKILLs; hours. TORTURE_MINUTES=10 for a slice, ARGS="--cases 'duckdb/*'"
	@$(BIN)/python -m platform_pipelines_tests.torture $(if $(TORTURE_MINUTES),--minutes $(TORTURE_MINUTES)) $(ARGS)
	$(if $(ARGS)$(TORTURE_MINUTES),,PIPELINES_EXAMPLES=50 $(BIN)/pytest --timeout 0 platform_pipelines_tests/property platform_pipelines_tests/integration/test_late_histories.py)

sizes: setup  ## very large fields, wide tables, a million files; an hour, 10 GB of disk
	PIPELINES_TEST_SCALE=20 PIPELINES_DUCKDB_MEMORY=4GB $(BIN)/pytest --timeout=0 platform_pipelines_tests/hostile/test_sizes.py $(ARGS)

check: setup  ## lint, format, types and import layers
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

dev: setup  ## open the UI at http://localhost:3000 with the demo pipelines
	@$(BIN)/python -m platform_pipelines.demo --prepare-only
	@mkdir -p .dagster_home && cp dagster.yaml .dagster_home/dagster.yaml
	DAGSTER_HOME="$(CURDIR)/.dagster_home" $(BIN)/dagster dev -w workspace.yaml

bench: setup  ## measure against the same work written by hand
	@$(BIN)/python -m benchmarks $(ARGS)

screenshot: setup  ## draw docs/images/asset-graph.png anew; needs chromium
	@$(BIN)/python -m platform_pipelines_tests.ui.screenshot

reference: setup  ## draw docs/reference/yaml.md and types.md anew
	@$(BIN)/python -m platform_pipelines_tests.docs.yaml_reference
	@$(BIN)/python -m platform_pipelines_tests.docs.types_reference

clean:  ## remove what the demo, the tests and Dagster wrote
	rm -rf data .pipelines .dagster_home .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache .coverage .coverage.*
