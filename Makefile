# On a machine with Python >= 3.11 and nothing else: `make demo`, `make test`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
COMPILE := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-header --no-annotate --no-emit-index-url

.PHONY: demo test check bench lock clean

$(VENV)/runtime.stamp: requirements/build.txt requirements/runtime.txt pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(PIP) install --require-hashes -r requirements/build.txt
	$(PIP) install --require-hashes -r requirements/runtime.txt
	$(PIP) install --no-deps --no-build-isolation --editable .
	touch $@

$(VENV)/test.stamp: $(VENV)/runtime.stamp requirements/test.txt
	$(PIP) install --require-hashes -r requirements/test.txt
	touch $@

$(VENV)/bench.stamp: $(VENV)/test.stamp requirements/bench.txt
	$(PIP) install --require-hashes -r requirements/bench.txt
	touch $@

demo: $(VENV)/runtime.stamp ## a sample city, and the console on it with one-click roles
	$(BIN)/riderscore demo

check: $(VENV)/test.stamp ## lint, types, import contracts
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

test: check ## everything that CI runs
	$(BIN)/python -m pytest

bench: $(VENV)/bench.stamp ## the figures of the README, as ratios within one run
	$(BIN)/python -m pytest tests/benchmarks --benchmark-only -p no:randomly

lock: ## lock the versions that pyproject.toml admits
	$(PIP) install uv
	echo hatchling editables | tr ' ' '\n' | $(COMPILE) - -o requirements/build.txt
	$(COMPILE) pyproject.toml -o requirements/runtime.txt
	$(COMPILE) pyproject.toml --group test -c requirements/runtime.txt -o requirements/test.txt
	$(COMPILE) pyproject.toml --group test --group bench -c requirements/test.txt -o requirements/bench.txt

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis
