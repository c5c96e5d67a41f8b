# `make run` and `make test` do all their own set-up; `make help` lists the rest.
PYTHON ?= $(shell for p in python3 python3.11 python3.12 python3.13 python3.14; do \
    command -v $$p >/dev/null 2>&1 && $$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
    && { echo $$p; break; }; done)
VENV := .venv
BIN := $(VENV)/bin
SEEDS ?= 20
MINUTES ?= 30
PYTEST_ARGS ?=
COMPILE = $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
    --no-header --no-emit-index-url --no-emit-find-links --no-annotate --extra embedded

.PHONY: help run test check faults soak bench lock docs clean python jdk prometheus producers

help: ## list the targets
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' Makefile

run: $(VENV)/run.stamp ## start everything on this machine and watch it count (Ctrl-C ends it)
	@$(BIN)/usage run

test: jdk prometheus $(VENV)/dev.stamp ## every test but the long ones; needs Java 17, Maven and Prometheus
	$(BIN)/python -m pytest --durations 10 $(PYTEST_ARGS)

check: $(VENV)/dev.stamp ## format, lint, types, import direction, generated docs
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/usage settings --markdown | diff -u docs/settings.md - || { echo "docs/settings.md is stale: make docs"; exit 1; }
	$(BIN)/usage metrics | diff -u docs/metrics.md - || { echo "docs/metrics.md is stale: make docs"; exit 1; }
	$(BIN)/usage schemas --check

faults: jdk producers $(VENV)/dev.stamp ## the long tests: faults, and producers in all languages
	$(BIN)/python -m pytest -m faults --timeout 1500 $(PYTEST_ARGS)

soak: jdk $(VENV)/dev.stamp ## crashes over SEEDS=20 seeds, 30 million events, MINUTES=30 of faults; not in CI
	USAGE_TEST_SEEDS=$(SEEDS) SOAK_MINUTES=$(MINUTES) $(BIN)/python -m pytest -m soak --timeout 0 $(PYTEST_ARGS)

bench: jdk $(VENV)/dev.stamp ## measure, and write docs/benchmarks.md; an hour, Java 17 and Maven
	$(BIN)/python -m tests.bench

docs: $(VENV)/dev.stamp ## regenerate the generated pages
	$(BIN)/usage settings --markdown > docs/settings.md
	$(BIN)/usage metrics > docs/metrics.md
	$(BIN)/usage views --shipped --markdown > docs/views.md
	$(BIN)/usage schemas

lock: $(VENV)/dev.stamp ## lock the newest allowed versions, with hashes
	$(COMPILE) --upgrade pyproject.toml --group build --group dev -o requirements-dev.lock
	$(COMPILE) --upgrade pyproject.toml --group build -c requirements-dev.lock -o requirements.lock

clean: ## remove what make made; the embedded store's data stays
	rm -rf $(VENV) build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache

python:
	@test -n "$(PYTHON)" || { echo "This needs Python 3.11 or newer: install it, or name it with make PYTHON=…" >&2; exit 1; }

jdk:
	@v=$$(java -version 2>&1 | sed -n 's/.* version "\([0-9]*\).*/\1/p'); \
	test "$${v:-0}" -ge 17 && command -v mvn >/dev/null || { echo "The tests start a real Kafka, which needs \
	Java 17 or newer and Maven: apt-get install openjdk-17-jre-headless maven, or brew install openjdk@17 maven." >&2; exit 1; }

prometheus:
	@command -v prometheus >/dev/null && command -v promtool >/dev/null || { echo "The tests have a real Prometheus \
	scrape a worker and check its rules: apt-get install prometheus, or brew install prometheus." >&2; exit 1; }

producers:
	@command -v kcat >/dev/null && command -v npm >/dev/null && command -v javac >/dev/null || { echo "The examples \
	of producers are run as they stand: apt-get install kcat nodejs npm openjdk-17-jdk-headless, or brew install kcat \
	node openjdk@17." >&2; exit 1; }

# A stamp's age tells whether what it stands for is still installed.
$(BIN)/python: | python
	$(PYTHON) -m venv $(VENV)

$(VENV)/run.stamp: $(BIN)/python requirements.lock pyproject.toml
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/dev.stamp: $(VENV)/run.stamp requirements-dev.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	@touch $@
