# The work, as commands. Everything happens inside .venv, from locked requirements.

PYTHON ?= python3
VENV := .venv
BENCH := .venv-bench
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet

.PHONY: help run test unit lint types bench pictures format tools lock clean
.DEFAULT_GOAL := help

help:  ## List what can be made
	@sed -n 's/^\([a-z-]*\):.*## /\1 - /p' $(MAKEFILE_LIST)

run: $(VENV)/.run  ## Serve the product with demo data on http://127.0.0.1:8050
	@exec $(BIN)/python app.py serve

test: lint types tools  ## The whole suite: format, lint, types, tests
	$(BIN)/python -m pytest -n 3 --dist loadfile

unit: $(VENV)/.test  ## The rules alone: no database, no browser, seconds
	$(BIN)/python -m pytest -q tests/unit

lint: $(VENV)/.test  ## Whether the code is as formatter and linter want it
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

types: $(VENV)/.test  ## Whether the types are right
	$(BIN)/mypy

# SIZES="10000 1000000" ONLY="endpoints peers" ROLLUP=without SECONDS_OF_LOAD=10 OUT=there KEEP=home
bench: $(BENCH)/.done  ## Measure everything and write docs/performance.md; takes an hour or more
	@sh benchmarks/tools.sh
	@exec $(BENCH)/bin/python -m benchmarks $(if $(SIZES),--sizes "$(SIZES)") \
		$(if $(ONLY),--only "$(ONLY)") $(if $(ROLLUP),--rollup $(ROLLUP)) \
		$(if $(SECONDS_OF_LOAD),--seconds $(SECONDS_OF_LOAD)) $(if $(SAMPLES),--samples $(SAMPLES)) \
		$(if $(OUT),--out "$(OUT)") $(if $(KEEP),--home "$(KEEP)")

pictures: $(VENV)/.test tools  ## Take the pictures of the page in docs/pictures
	@exec $(BIN)/python -m tests.support.pictures docs/pictures

format: $(VENV)/.test  ## Write the code as the formatter wants it
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean:  ## Remove what was installed and cached; the demo's data in .usage stays
	rm -rf $(VENV) $(BENCH) .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

tools:
	@sh tests/support/tools.sh

# What is served is what is tested, but for urllib3: the tests' selenium is of 2022 and wants one of
# a series that gets no more repairs. So that line of the tests' lock binds nobody else.
UNSERVED := urllib3
COMPILE := $(BIN)/uv pip compile --quiet --universal --upgrade --generate-hashes --no-emit-index-url \
	--no-header --python-version 3.11

lock: $(VENV)/.test  ## Choose newer versions within pyproject.toml's bounds
	echo uv | $(COMPILE) --no-annotate - -o requirements-uv.txt
	$(COMPILE) --group test pyproject.toml -o requirements-test.txt
	sed -n '/^$(UNSERVED)==/d; s/^\([^ ]*==[^\\]*\).*/\1/p' requirements-test.txt > $(VENV)/tested.txt
	$(COMPILE) -c $(VENV)/tested.txt pyproject.toml -o requirements.txt
	$(COMPILE) -c $(VENV)/tested.txt --group bench pyproject.toml -o requirements-bench.txt
	sed -i.old 's|-c $(VENV)/tested.txt|-c requirements-test.txt|' requirements.txt requirements-bench.txt
	rm requirements.txt.old requirements-bench.txt.old

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed")'
	@$(PYTHON) -m venv $(VENV)

$(VENV)/.run: $(VENV)/bin/python requirements.txt
	@echo "Installing the locked requirements into $(VENV) ..."
	@$(PIP) install --no-deps --require-hashes -r requirements.txt
	@touch $@

# pip needs a minute for what uv does in seconds.
$(VENV)/.test: $(VENV)/bin/python requirements-uv.txt requirements-test.txt
	@echo "Installing the locked test requirements into $(VENV) ..."
	@$(PIP) install --no-deps --require-hashes -r requirements-uv.txt
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --require-hashes -r requirements-test.txt
	@touch $@ $(VENV)/.run

# A place of its own: what the product is compared with must not meet the tests.
$(BENCH)/.done: requirements-bench.txt $(VENV)/.test
	@$(PYTHON) -m venv $(BENCH)
	@echo "Installing the locked bench requirements into $(BENCH) ..."
	@$(BIN)/uv pip install --quiet --python $(BENCH)/bin/python --no-deps --require-hashes -r $<
	@touch $@
