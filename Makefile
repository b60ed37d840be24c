# Every target makes what it needs: a virtual environment in .venv from the lock files, and nothing outside the checkout.
# Needs Python 3.11 or newer with venv (on Debian: make, python3-venv).

PYTHON ?= python3
JOBS ?= auto
BIN = .venv/bin
EXAMPLE ?= office
FUZZ_SECONDS ?= 20

# Where Python may not keep what it has compiled, each program that the tests start, or the bench times, compiles everything anew.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help run test check format coverage bench fuzz fidelity docs lab traffic lock clean

help: ## what can be made
	@awk -F ': .*## ' '/^[a-z]+: .*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: ## replay the bundled example: real traffic through a real policy
	@$(PYTHON) tools/environment.py run
	@$(BIN)/twinwall replay examples/office/policy.yaml examples/office/traffic.pcapng

test: ## run every test (those that need root or a missing program say so and are skipped)
	@$(PYTHON) tools/environment.py dev
	@$(BIN)/python -m pytest -n $(JOBS) --maxprocesses 4 --dist loadfile -rs

check: ## format, lint, strict types, import contract
	@$(PYTHON) tools/environment.py dev
	@$(BIN)/ruff format --check --quiet .
	@$(BIN)/ruff check --quiet .
	@$(BIN)/mypy --no-error-summary
	@$(BIN)/lint-imports --no-cache

format: ## put every file into the house's format
	@$(PYTHON) tools/environment.py dev
	@$(BIN)/ruff check --fix --quiet .
	@$(BIN)/ruff format --quiet .

coverage: ## the tests with line and branch coverage
	@$(PYTHON) tools/environment.py dev
	@$(BIN)/python -m pytest -n $(JOBS) --maxprocesses 4 --dist loadfile --cov=twinwall --cov-branch --cov-report=term-missing:skip-covered

bench: ## measure speed and memory beside the peers and write docs/performance.md (20 minutes, 2 GB of disk); root: also enforcement
	@$(PYTHON) tools/environment.py run
	@$(BIN)/python -m bench.run
	@$(BIN)/python -m bench.kernel.run

fuzz: ## a short run of every fuzz target
	@$(PYTHON) tools/environment.py fuzz
	@set -e; for target in fuzz/fuzz_*.py; do echo "$$target"; $(BIN)/python "$$target" -max_total_time=$(FUZZ_SECONDS) -verbosity=0; done

fidelity: ## hold replay against the kernel: a million packets under 220 policies (root, some minutes)
	@$(PYTHON) tools/environment.py dev
	@$(BIN)/python -m tests.fidelity.run

docs: ## write the generated pages of docs/ anew
	@$(PYTHON) tools/environment.py dev
	@$(BIN)/python tools/generate_docs.py

lab: ## let real programs talk through the bundled policies, measure, and write docs/stateful-or-stateless.md anew (root)
	@$(PYTHON) tools/environment.py run
	@$(BIN)/twinwall lab --report docs/stateful-or-stateless.md

traffic: ## record the example's capture anew (root, Debian's packages)
	@$(PYTHON) tools/environment.py run
	@$(BIN)/python examples/office/make_traffic.py

lock: ## write the lock files anew with today's versions
	@$(PYTHON) tools/environment.py dev
	@$(BIN)/python tools/lock.py

clean: ## remove what the other targets made
	rm -rf .venv .venv.lock build dist bench/.work .coverage .hypothesis .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
	find src tests bench fuzz examples tools -name __pycache__ -type d -exec rm -rf {} +
