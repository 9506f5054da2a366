# Two commands: `make demo` runs the main job, `make test` runs the tests. Both set everything up first.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: setup demo test test-extra lint bench clean

setup: $(READY)

$(READY): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet -c constraints.txt -e '.[dev]'
	touch $(READY)

demo: setup
	PATH="$(CURDIR)/$(BIN):$$PATH" sh samples/digits/demo.sh

test: setup lint
	$(BIN)/python -m pytest -n 2 -q

test-extra: setup
	$(BIN)/python -m pytest -n 2 -q tests/extra

lint: setup
	$(BIN)/ruff check --quiet wfctl tests samples benchmarks
	$(BIN)/ruff format --check --quiet wfctl tests samples benchmarks
	$(BIN)/mypy

bench: setup
	$(BIN)/python -m benchmarks

clean:
	rm -rf $(VENV) build dist
