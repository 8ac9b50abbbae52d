# Two commands do everything on a fresh machine: `make demo` and `make test`. Nothing else needs to be run first.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.ready

.PHONY: demo test check bench soak setup lock clean help

help: ## what there is
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/'

demo: setup ## the whole story on real data, in about a minute
	@$(BIN)/plimsoll demo

# What measures load or time has no neighbour: it runs after the others, one by one. No test at all is a failure of either.
# The package is compiled beforehand: the tests start hundreds of processes, and where PYTHONDONTWRITEBYTECODE is set each
# of them would compile it for itself.
test: setup ## the default test suite
	@scripts/system-packages.sh
	@$(BIN)/python -m compileall -q src
	@$(BIN)/python -m pytest -n 4 --dist worksteal -m "not alone and not slow"
	@$(BIN)/python -m pytest -m "alone and not slow"

check: setup ## format, lint, types, layers
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-cache

bench: setup ## every published figure, peers and floors beside ours (minutes)
	@$(BIN)/python benchmarks/guard.py
	@$(BIN)/python benchmarks/ledger.py
	@$(BIN)/python benchmarks/postgres.py
	@$(BIN)/python benchmarks/load.py
	@$(BIN)/python benchmarks/gateway.py
	@$(BIN)/python benchmarks/egress.py
	@$(BIN)/python benchmarks/personal.py
	@$(BIN)/python benchmarks/health_check.py
	@$(BIN)/python benchmarks/quarantine.py
	@$(BIN)/python benchmarks/contracts.py

soak: setup ## the long runs
	@$(BIN)/python -m pytest -m slow

setup: $(STAMP) ## make .venv; seconds when nothing changed

$(STAMP): requirements/dev.txt pyproject.toml
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "Installing into $(VENV) (once)…" >&2
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
	@PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

lock: setup ## make the hash-pinned requirements files anew; what is shipped is locked to what is tested
	@for what in dev:'--extra demo --extra onnx --extra postgres --extra tables --group dev --group bench' \
	  core:'--constraint requirements/dev.txt' demo:'--extra demo --constraint requirements/dev.txt'; do \
	  $(BIN)/uv pip compile pyproject.toml $${what#*:} --python-version 3.11 --universal --generate-hashes \
	    --no-emit-index-url --no-header --quiet --upgrade -o requirements/$${what%%:*}.txt || exit 1; done

clean: ## everything that was made
	@rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis dist build
