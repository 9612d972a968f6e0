# Everything runs in .venv, which `make setup` builds from the hash-locked files in requirements/.

PYTHON ?= python3
WORKERS ?= 2
TRACKING ?= demo/mlflow.db

BIN := .venv/bin
LOCKS := pyproject.toml requirements/bootstrap.txt requirements/dev.txt
# the name carries the content of the locks: a changed lock installs again, an unchanged one does nothing
STAMP := .venv/.installed-$(shell cat $(LOCKS) 2>/dev/null | cksum | cut -d ' ' -f 1)
COMPILE := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-header

export PIP_DISABLE_PIP_VERSION_CHECK := 1
export MLFLOW_DISABLE_TELEMETRY := true
export DO_NOT_TRACK := true
export MLFLOW_ALLOW_PICKLE_DESERIALIZATION := false
export MLFLOW_SERVER_ENABLE_JOB_EXECUTION := false

.DEFAULT_GOAL := help
.PHONY: help setup node demo test lint types lock benchmark validation predictions ui clean

help: ## show this list
	@echo "Usage: make TARGET    (PYTHON=python3.12 chooses another Python)"
	@echo
	@sed -n 's/^\([a-z]*\):.*## \(.*\)$$/  \1|\2/p' Makefile | awk -F'|' '{ printf "%-9s %s\n", $$1, $$2 }'

setup: $(STAMP) ## create .venv from the locked requirements; instant when it is up to date

$(STAMP):
	@command -v $(PYTHON) > /dev/null || { \
		echo "$(PYTHON) was not found; install Python 3.11 or newer, or run: make PYTHON=/path/to/python"; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "Python 3.11 or newer is needed, but $(PYTHON) is $$($(PYTHON) -V 2>&1);" \
			"name a newer one: make PYTHON=python3.11"; exit 1; }
	@$(BIN)/python -c 'import pip' 2> /dev/null || { echo "Creating .venv"; $(PYTHON) -m venv --clear .venv; }
	@rm -f .venv/.installed-*
	@echo "Installing the locked requirements (some minutes the first time)"
	@$(BIN)/python -m pip install --quiet --require-hashes --requirement requirements/bootstrap.txt
	@VIRTUAL_ENV=.venv $(BIN)/uv pip install --quiet --require-hashes --requirement requirements/dev.txt
	@VIRTUAL_ENV=.venv $(BIN)/uv pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

demo: $(STAMP) ## run the main job, from synthetic records to a verified trial report, in demo/
	rm -rf demo
	$(BIN)/vht sample --patients 200 --seed 1 --out demo/fhir
	$(BIN)/vht keys init --keys demo/keys
	$(BIN)/vht import demo/fhir --keys demo/keys --states demo/states
	$(BIN)/vht trial run trials/examples/sunitinib_gist.yaml --states demo/states --out demo/run
	$(BIN)/vht trial verify demo/run
	@echo
	@echo "Open demo/run/report.html in a browser; 'make ui' shows the tracked run."

test: $(STAMP) ## run the tests
	$(BIN)/pytest --quiet --numprocesses $(WORKERS) --dist loadfile

node: ## install the second validator and the FHIR server that some tests use; needs Node 20 or newer
	@command -v npm > /dev/null || { echo "npm was not found; install Node 20 or newer"; exit 1; }
	npm ci --prefix tests/fhir_io/node --ignore-scripts --no-audit --no-fund --loglevel=error

lint: $(STAMP) ## check style, formatting and the direction of imports
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports --no-logo

types: $(STAMP) ## check types
	$(BIN)/mypy

lock: $(STAMP) ## bring the locked requirements in step with pyproject.toml
	$(COMPILE) requirements/bootstrap.in --output-file requirements/bootstrap.txt
	$(COMPILE) pyproject.toml --output-file requirements/runtime.txt
	$(COMPILE) pyproject.toml --group dev --output-file requirements/dev.txt
	$(COMPILE) pyproject.toml --group dev --group benchmarks --output-file requirements/benchmarks.txt

benchmark: $(STAMP) ## measure the engine against its peers (minutes; installs them first)
	VIRTUAL_ENV=.venv $(BIN)/uv pip install --quiet --require-hashes --requirement requirements/benchmarks.txt
	$(BIN)/python -m benchmarks.engine
	$(BIN)/python -m benchmarks.oncology

validation: $(STAMP) ## write what the twin predicts beside what was measured, docs/*_validation.md
	$(BIN)/python -m vht.validation.cardiovascular docs/cardiovascular_validation.md
	@test -n "$(VHT_SHARED_DATA)" || { \
		echo "VHT_SHARED_DATA is not set: docs/oncology_validation.md stays as it is"; exit 1; }
	$(BIN)/python -m vht.validation.oncology "$(VHT_SHARED_DATA)" docs/oncology_validation.md

predictions: $(STAMP) ## write what the models say where no outcome is declared, with a digest, docs/predictions.json
	$(BIN)/python -m vht.validation.predictions docs/predictions.json

ui: $(STAMP) ## browse the demo's tracked runs on this machine (http://127.0.0.1:5000)
	@test -f $(TRACKING) || { echo "$(TRACKING) does not exist; run 'make demo' first"; exit 1; }
	cd $(dir $(TRACKING)) && $(abspath $(BIN))/mlflow ui --backend-store-uri sqlite:///$(notdir $(TRACKING)) \
		--host 127.0.0.1 --port 5000

clean: ## remove .venv, the demo and all caches
	rm -rf .venv tests/fhir_io/node/node_modules demo dist .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
