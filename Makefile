# make run      set everything up and watch real calls go through the switch
# make test     set everything up (Debian packages too) and run the whole suite
# make check    style, types and the quick tests
# make explore  the tests with drawn examples, others each time
# make bench    every benchmark, quick

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: setup run test check explore bench lock clean test-packages

setup: $(READY)

$(READY): requirements.lock pyproject.toml
	scripts/setup-venv $(PYTHON) $(VENV)
	touch $@

test-packages:
	scripts/install-test-packages

run: setup
	$(BIN)/ringback demo

test: setup test-packages
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m pytest -n 2 --dist loadgroup tests

check: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m pytest -n 2 -m "not live" tests

explore: setup
	HYPOTHESIS_PROFILE=explore $(BIN)/python -m pytest -n 2 -m "not live" tests -k "$$(grep -rl '^@given' tests | xargs -n1 basename -s .py | paste -sd' ' | sed 's/ / or /g')"

bench: setup
	$(BIN)/python -m benchmarks.signalling --quick
	$(BIN)/python -m benchmarks.media --quick
	$(BIN)/python -m benchmarks.webrtc --quick
	$(BIN)/python -m benchmarks.ivr --quick
	$(BIN)/python -m pytest benchmarks/micro --benchmark-only
	scripts/setup-quality $(VENV)
	$(BIN)/python -m benchmarks.media_quality --quick

# The lock holds versions and hashes and no registry address: pip asks whatever index the machine is set up for.
lock:
	$(BIN)/pip install -q uv
	$(BIN)/uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate --no-header \
	  --extra postgresql --extra test pyproject.toml -o requirements.lock
	printf 'cython\npesq>=0.0.4\npystoi>=0.4.1\n' | $(BIN)/uv pip compile - -c requirements.lock --universal \
	  --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate --no-header -o requirements-quality.lock

clean:
	rm -rf $(VENV) build *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
