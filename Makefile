# Concord. `make help` lists what there is; docs/operations.md explains it.
.DEFAULT_GOAL := help
SHELL := /bin/sh

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
# torch is installed first and by itself, as a CPU build wherever one is to be had; on Linux the
# newest build of the usual index brings several GB of CUDA. With an NVIDIA GPU, name the index:
#   make run TORCH_INDEX=https://download.pytorch.org/whl/cu130
TORCH_VERSION ?= 2.13.0
TORCH_INDEX ?=
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet --quiet
MINUTES ?= 10
SEED ?= 1
ONLY ?=
GRID ?= quick
TESTS ?= tests

.PHONY: help run test check fix bench soak install install-dev install-bench

help: ## Show this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

run: install ## Install what is missing, then run everything until Ctrl-C (PORT, HOST, DATA_DIR, DEMO)
	@exec $(BIN)/python -m annotator.runtime.supervisor

test: install-dev ## Everything that must hold: lint, types, layers, migrations, all tests
	@VENV=$(VENV) sh scripts/test.sh all $(TESTS)

check: install-dev ## The fast gate: lint, types, layers, and the tests that are neither slow nor in a browser
	@VENV=$(VENV) sh scripts/test.sh fast $(TESTS)

fix: install-dev ## Format, and repair what lint can repair
	@$(BIN)/ruff check --quiet --fix . ; $(BIN)/ruff format --quiet .

bench: install-dev ## Benchmarks: make bench ONLY=loop GRID=quick|full (DATASETS names the real data)
	@$(BIN)/python -m bench $(if $(ONLY),--only $(ONLY)) --grid $(GRID)

soak: install-dev ## Load, kills, races and fuzzing again and again: make soak MINUTES=10
	@MINUTES=$(MINUTES) SEED=$(SEED) VENV=$(VENV) sh scripts/soak.sh

install: $(VENV)/.installed
install-dev: $(VENV)/.installed-dev
install-bench: .venv-bench/.installed .venv-formats/.installed ## Rivals' libraries and other tools, in environments of their own

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; v = sys.version_info; \
		sys.exit(0 if (3, 11) <= v < (3, 14) else f"Python 3.11 to 3.13 is needed, this is {v[0]}.{v[1]}; name one with PYTHON=…")'
	@$(PYTHON) -m venv $(VENV)

$(VENV)/.torch: | $(VENV)/bin/python
	@echo "Installing torch $(TORCH_VERSION) (once; takes a few minutes) …"
	@sh scripts/install_torch.sh $(BIN)/python $(TORCH_VERSION) $(TORCH_INDEX)
	@touch $@

$(VENV)/.installed: requirements.txt $(VENV)/.torch
	@echo "Installing requirements.txt …"
	@$(PIP) install -r requirements.txt
	@touch $@

$(VENV)/.installed-dev: requirements-dev.txt $(VENV)/.installed
	@echo "Installing requirements-dev.txt …"
	@$(PIP) install -r requirements-dev.txt
	@touch $@

.venv-bench/.installed: requirements-bench.txt
	@$(PYTHON) -m venv .venv-bench
	@.venv-bench/bin/python -m pip --disable-pip-version-check --quiet --quiet install -r requirements-bench.txt
	@touch $@

.venv-formats/.installed: requirements-formats.txt
	@$(PYTHON) -m venv .venv-formats
	@.venv-formats/bin/python -m pip --disable-pip-version-check --quiet --quiet install -r requirements-formats.txt
	@touch $@
