# Two commands: `make demo` runs the main job, `make test` runs the tests. Both set everything up first.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
RAY := $(VENV)/.ready-ray

.PHONY: setup demo test test-extra test-gpu soak fuzz lint bench clean

setup: $(READY)

$(READY): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	touch $(READY)

# Ray is an extra of a hundred megabytes, which the package has to do without: only its own tests have it.
$(RAY): $(READY)
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[ray]'
	touch $(RAY)

demo: setup
	@PATH="$(CURDIR)/$(BIN):$$PATH" sh samples/digits/demo.sh

# loadfile: fixtures that build archives or environments are made once, not once a process.
test: setup lint
	$(BIN)/python -m pytest -n 2 --dist loadfile -q --ignore tests/extra --ignore tests/gpu

# What needs minutes or more than pip: nothing here is skipped for want of a tool.
test-extra: setup $(RAY)
	$(BIN)/python -m pytest -q tests/extra

# What needs a CUDA device, in an environment that has torch for it: PYTHON names its interpreter.
test-gpu:
	$(PYTHON) -m pytest -q tests/gpu

# Sixty-four clients on a server for five minutes, or for SECONDS; test-extra has them for twenty seconds.
soak: setup
	WFCTL_SOAK_SECONDS=$(or $(SECONDS),300) $(BIN)/python -m pytest -q tests/extra/test_serve_soak.py

# A longer run of the tests that hold the reader of HTTP to an independent one.
fuzz: setup
	WFCTL_FUZZ_EXAMPLES=$(or $(EXAMPLES),20000) $(BIN)/python -m pytest -q tests/web/test_http1_beside_h11.py

lint: setup
	$(BIN)/ruff check --quiet wfctl tests samples benchmarks
	$(BIN)/ruff format --check --quiet wfctl tests samples benchmarks
	$(BIN)/mypy

bench: setup
	$(BIN)/python -m benchmarks

clean:
	rm -rf $(VENV) build dist
