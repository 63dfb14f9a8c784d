# On a machine with Python >= 3.11 and nothing else: `make demo`, `make test`.
PYTHON ?= python3
MINUTES ?= 10
KILLS ?= 30
MILLIONS ?= 50
SAMPLE ?= 20
SEED ?= 1
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
# A file's tests share what is dear to make, so a file stays on one core.
PARALLEL := -n auto --dist loadfile
COMPILE := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-header --no-annotate --no-emit-index-url

.PHONY: demo locale test test-fast explore soak mutants clients mutation kills load large public check docs bench lock clean

$(VENV)/runtime.stamp: requirements/build.txt requirements/runtime.txt pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(PIP) install --require-hashes -r requirements/build.txt
	$(PIP) install --require-hashes -r requirements/runtime.txt
	$(PIP) install --no-deps --no-build-isolation --editable .
	touch $@

$(VENV)/test.stamp: $(VENV)/runtime.stamp requirements/test.txt requirements/clients/package-lock.json
	$(PIP) install --require-hashes -r requirements/test.txt
	mkdir -p $(VENV)/clients
	cp requirements/clients/package.json requirements/clients/package-lock.json $(VENV)/clients
	cd $(VENV)/clients && PATH="$(CURDIR)/$(BIN):$$PATH" npm ci --ignore-scripts --no-audit --no-fund --silent
	touch $@

$(VENV)/bench.stamp: $(VENV)/test.stamp requirements/bench.txt
	$(PIP) install --require-hashes -r requirements/bench.txt
	touch $@

$(VENV)/mutation.stamp: $(VENV)/test.stamp requirements/mutation.txt
	$(PIP) install --require-hashes -r requirements/mutation.txt
	touch $@

demo: $(VENV)/runtime.stamp ## a sample city, and the console on it with one-click roles
	$(BIN)/riderscore demo

check: $(VENV)/test.stamp ## lint, types, declared dependencies
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/deptry .

test: check ## everything that CI runs
	$(BIN)/python -m pytest $(PARALLEL)

test-fast: $(VENV)/test.stamp ## what needs no server, browser, PostgreSQL, Ray or other process: about two minutes
	$(BIN)/python -m pytest $(PARALLEL) -m "not slow"

explore: $(VENV)/test.stamp ## property tests with fresh seeds for MINUTES; what fails is printed as @example(...)
	$(BIN)/python -m tests.soak.explore $(MINUTES)

soak: mutants kills load large clients ## all of it, an hour or two; each part can be run alone

mutants: $(VENV)/test.stamp ## the faults of tests/soak/planted.py, one at a time; tests must notice each
	$(BIN)/python -m tests.soak.mutants

# New faults, not the kept ones: `survivors.md` says what came of those seen so far. Not part of soak: it fails at the
# survivors that are argued there. `MODULES="scoring/kernel.py dispatch/rounds.py"` for some, `SAMPLE=0` for every mutant.
mutation: $(VENV)/mutation.stamp ## cosmic-ray's mutants of six modules, SAMPLE of each drawn by SEED; what survives is printed
	$(BIN)/python -m tests.soak.mutation --sample $(SAMPLE) --seed $(SEED) $(MODULES)

kills: $(VENV)/bench.stamp ## SIGKILL to the service and to runs by buckets, KILLS times each; nothing lost, nothing twice
	$(BIN)/python -m tests.benchmarks.kills $(KILLS)
	$(BIN)/python -m tests.benchmarks.lake_kills --events 1000000 --kills $(KILLS)

clients: $(VENV)/test.stamp ## clients in Go and Java, made of the OpenAPI document and at work on a server; needs java, go and their registries
	$(PIP) install "openapi-generator-cli>=7.26"
	$(BIN)/python -m tests.soak.clients

load: $(VENV)/bench.stamp ## clients that post without a pause
	$(BIN)/python -m tests.benchmarks.http.posts

large: $(VENV)/bench.stamp ## a day of MILLIONS of events by buckets, its ledger held against two other ways to it
	$(BIN)/python -m tests.benchmarks.lake --sizes $(MILLIONS)

public: $(VENV)/test.stamp ## the public Grubhub days in MDRP, against published figures
	RIDERSCORE_MDRP=$(MDRP) $(BIN)/python -m pytest $(PARALLEL) tests/public

docs: $(VENV)/test.stamp ## the documentation as a site, docs/_build/html/index.html; it needs no network to be read
	$(BIN)/python -m docs.generated
	$(BIN)/sphinx-build --fail-on-warning --keep-going --quiet --builder html docs docs/_build/html

bench: $(VENV)/bench.stamp ## the figures of docs/results, as ratios within one run
	$(BIN)/python -m pytest tests/benchmarks --benchmark-only -p no:randomly

lock: ## lock the versions that pyproject.toml admits
	$(PIP) install uv
	echo hatchling editables | tr ' ' '\n' | $(COMPILE) - -o requirements/build.txt
	$(COMPILE) pyproject.toml -o requirements/runtime.txt
	$(COMPILE) pyproject.toml --group test --group docs -c requirements/runtime.txt -o requirements/test.txt
	$(COMPILE) pyproject.toml --group test --group docs --group bench -c requirements/test.txt -o requirements/bench.txt
	$(COMPILE) pyproject.toml --group test --group docs --group mutation -c requirements/test.txt -o requirements/mutation.txt

locale: $(VENV)/test.stamp ## compile the words of click in Chinese
	$(BIN)/pybabel compile --directory api/cli/locale

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis docs/_build
	find api dispatch migrations riderscore rules scoring simulations tests -name __pycache__ -prune -exec rm -rf {} +
