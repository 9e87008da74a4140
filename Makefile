# What one types to build, try and check Postroom. `make help` lists it.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed
LINKS  := .links

.DEFAULT_GOAL := help
.PHONY: help setup demo test check lua fault bench links clean

help:  ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-7s %s\n", $$1, $$2}' Makefile

setup: $(STAMP) links  ## create .venv with Postroom and everything its development needs

$(STAMP): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "Postroom needs Python 3.11 or newer; $(PYTHON) is $$($(PYTHON) -V 2>&1). Try: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null \
	  || { echo "This Python cannot make a virtual environment (no ensurepip). On Debian or Ubuntu: apt-get install python3-venv"; exit 1; }
	@echo "Setting up $(VENV) (once) ..."
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[embedded,dev]'
	@touch $@

# mypy, import-linter and IDEs want one package on disk; the rooms are linked together for them (git-ignored).
links:
	@rm -rf $(LINKS) && mkdir -p $(LINKS)/postroom
	@for entry in postroom/*; do ln -s "../../$$entry" "$(LINKS)/$$entry"; done
	@for room in jobs workers scheduler monitor; do ln -s "../../$$room" "$(LINKS)/postroom/$$room"; done

demo: $(STAMP)  ## the main job on real input: parse every file of Python's own standard library
	@$(BIN)/postroom demo

test: $(STAMP)  ## every test, on real servers of their own; or those that ARGS names
ifdef ARGS
	@$(BIN)/python -m pytest $(ARGS)
else
	@$(BIN)/python -m pytest tests/fault  # first and alone: it judges tenths of a second
	@$(BIN)/python -m pytest -n 2 tests/unit tests/lua tests/integration
endif

check: $(STAMP) links  ## ruff, mypy strict, import-linter, house rules
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@MYPYPATH=$(LINKS) $(BIN)/mypy -p postroom
	@MYPYPATH=$(LINKS) $(BIN)/mypy tests benchmarks examples
	@cd $(LINKS) && ../$(BIN)/lint-imports --no-logo --config ../pyproject.toml
	@$(BIN)/python tests/house.py

lua: $(STAMP)  ## table tests of the scripts, then a mutation run: every redis.call taken out must turn a test red
	@$(BIN)/python -m pytest -q tests/lua
	@$(BIN)/python tests/lua/mutate.py

fault: $(STAMP)  ## the fault harness: everything is broken on purpose, every job accounted for (CASE= SEED= JOBS= ARGS=--save)
	@$(BIN)/python -m tests.fault $(if $(CASE),--case $(CASE)) $(if $(SEED),--seed $(SEED)) $(if $(JOBS),--jobs $(JOBS)) $(ARGS)

bench: $(STAMP)  ## Postroom beside its peers, which are installed into .bench, measured on this machine
	@$(BIN)/python -m benchmarks $(ARGS)

clean:  ## remove what setup laid
	@rm -rf $(VENV) $(LINKS) .bench .node build dist *.egg-info
