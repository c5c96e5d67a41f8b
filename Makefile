# `make run` and `make test` do all their own set-up; `make help` lists the rest.
PYTHON ?= $(shell for p in python3 python3.11 python3.12 python3.13 python3.14; do \
    command -v $$p >/dev/null 2>&1 && $$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
    && { echo $$p; break; }; done)
VENV := .venv
BIN := $(VENV)/bin
# The compiled reader, once for all where cargo is; without one, said once. Empty: none is built.
NATIVE := $(VENV)/native$(if $(shell command -v cargo 2>/dev/null),,-none).stamp
# Tests run in so many processes, each with a broker and a store of its own.
JOBS ?= 2
SEEDS ?= 20
MINUTES ?= 30
PYTEST_ARGS ?=
COMPILE = $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
    --no-header --no-emit-index-url --no-emit-find-links --no-annotate --extra embedded

.PHONY: help run native dist quick test check faults soak bench lock docs clean pages page screenshots python for-quick for-check for-test for-faults
.NOTPARALLEL:

help: ## list the targets
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' Makefile

run: $(VENV)/run.stamp $(NATIVE) ## start everything on this machine and watch it count (Ctrl-C ends it)
	@$(BIN)/usage run

native: $(VENV)/run.stamp ## build the compiled reader, where cargo is; `make run` and `make test` do, once
	@native/build.sh $(BIN) && touch $(NATIVE) || [ $$? -eq 75 ]

dist: $(VENV)/dev.stamp ## sdist, wheels (the compiled reader's where cargo is), SBOM and checksums, in dist/
	@$(BIN)/python -m release dist

quick: for-quick $(VENV)/dev.stamp ## the inner loop: unit and property tests, no Java, under a minute
	TEST_EXAMPLES=0.2 $(BIN)/python -m pytest -n auto tests/unit tests/property $(PYTEST_ARGS)

test: for-test $(VENV)/dev.stamp $(NATIVE) ## every test but the long ones, on a real Kafka and Prometheus
	$(BIN)/python -m tests.support.harness.kafka_jars >/dev/null
	$(BIN)/python -m pytest -n $(JOBS) --dist worksteal --durations 10 $(PYTEST_ARGS)

check: for-check $(VENV)/dev.stamp web/node_modules ## format, lint, types, import direction, generated docs
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	@native/build.sh $(BIN) check
	@$(MAKE) --no-print-directory pages

pages: for-check $(VENV)/dev.stamp web/node_modules
	$(BIN)/usage docs settings | diff -u docs/settings.md - || { echo "docs/settings.md is stale: make docs"; exit 1; }
	$(BIN)/usage docs metrics | diff -u docs/metrics.md - || { echo "docs/metrics.md is stale: make docs"; exit 1; }
	$(BIN)/usage docs schemas --check
	cd web && npm run --silent check && node build.mjs ../build/page
	diff -qr build/page pipeline/web/static || { echo "pipeline/web/static is stale: make page"; exit 1; }

faults: for-faults $(VENV)/dev.stamp $(NATIVE) ## the long tests: faults, and producers in all languages
	$(BIN)/python -m tests.support.harness.kafka_jars >/dev/null
	$(BIN)/python -m pytest -m faults -n $(JOBS) --dist worksteal --durations 20 --timeout 1500 $(PYTEST_ARGS)

soak: for-test $(VENV)/dev.stamp ## crashes over SEEDS=20 seeds, 30 million events, MINUTES=30 of faults; not in CI
	USAGE_TEST_SEEDS=$(SEEDS) SOAK_MINUTES=$(MINUTES) $(BIN)/python -m pytest -m soak --timeout 0 $(PYTEST_ARGS)

bench: for-test $(VENV)/dev.stamp $(NATIVE) ## measure, and write docs/benchmarks.md; an hour, Java 17 and Maven
	$(BIN)/python -m tests.bench

docs: $(VENV)/dev.stamp ## regenerate the generated pages
	$(BIN)/usage docs settings > docs/settings.md
	$(BIN)/usage docs metrics > docs/metrics.md
	$(BIN)/usage docs tables > docs/tables.md
	$(BIN)/usage docs views > docs/views.md
	$(BIN)/usage docs schemas
	$(BIN)/usage docs grafana

lock: $(VENV)/dev.stamp ## lock the newest allowed versions, with hashes
	$(COMPILE) --upgrade pyproject.toml --group build --group dev -o requirements-dev.lock
	$(COMPILE) --upgrade pyproject.toml --group build -c requirements-dev.lock -o requirements.lock

page: for-check web/node_modules ## build the page anew; its files are committed, so that nobody needs Node to run it
	cd web && npm run --silent check && node build.mjs

screenshots: for-test $(VENV)/dev.stamp ## pictures of the page for README and docs, from a simulated world
	$(BIN)/python -m tests.support.screenshots

web/node_modules: web/package-lock.json
	cd web && npm ci --ignore-scripts --no-audit --no-fund --loglevel error
	@touch $@

clean: ## remove what make made; the embedded store's data stays
	rm -rf $(VENV) build dist web/node_modules .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache

python:
	@test -n "$(PYTHON)" || { echo "This needs Python 3.11 or newer: install it, or name it with make PYTHON=…" >&2; exit 1; }

# What the tests run besides Python: installed where that is possible, said where it is not.
for-quick for-check for-test for-faults:
	@tests/setup.sh $(@:for-%=%)

# A stamp's age tells whether what it stands for is still installed.
$(BIN)/python: | python
	$(PYTHON) -m venv $(VENV)

$(VENV)/run.stamp: $(BIN)/python requirements.lock pyproject.toml
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

$(NATIVE): $(VENV)/run.stamp native/build.sh native/lock.sh native/crates.txt native/Cargo.toml native/pyproject.toml $(wildcard native/src/*.rs)
	@native/build.sh $(BIN) && touch $@ || [ $$? -eq 75 ]

$(VENV)/dev.stamp: $(VENV)/run.stamp requirements-dev.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	@touch $@
