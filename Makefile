# make run    install into .venv and start the demonstration territory
# make test   everything, system tools included
# make check  lint, types, layers and tests with the tools that are already there
# make setup  the environment for development only
# make audit  compare the tested versions with the public list of known weaknesses (asks the network)
# make reference, make screenshots, make lock
#             write again: the tables of docs/reference, the pictures of docs/images, the tested versions

VENV := .venv
BIN := $(VENV)/bin
PARVIS_PORT ?= 8080
PYTEST ?= $(BIN)/python -m pytest
INSTALLED_BY := pyproject.toml $(wildcard build/*.py build/*.sh build/*.txt) $(wildcard frontend/*)

.PHONY: setup run test check lint types layers tests tools audit reference screenshots lock clean
.DELETE_ON_ERROR:

# The tests start hundreds of processes: each would compile anew what it imports.
unexport PYTHONDONTWRITEBYTECODE

setup: $(VENV)/.development

run: $(VENV)/.runtime
	$(BIN)/parvis demo --port $(PARVIS_PORT)

test: tools check

check: lint types layers tests

lint: $(VENV)/.development
	$(BIN)/ruff check .

types: $(VENV)/.development
	$(BIN)/mypy

layers: $(VENV)/.development
	$(BIN)/lint-imports

tests: $(VENV)/.development
	$(BIN)/python build/frontend_assets.py --tests
	$(PYTEST) --numprocesses auto --dist loadfile --no-loadscope-reorder

tools:
	@sh build/system_tools.sh

screenshots: $(VENV)/.development
	$(BIN)/python -m scripts.screenshots
	$(BIN)/python -m scripts.states
	$(BIN)/python -m scripts.first_minute

audit: $(VENV)/.development
	$(BIN)/python scripts/audit.py

reference: $(VENV)/.development
	$(BIN)/python scripts/reference.py

lock: $(VENV)/.development
	$(BIN)/python scripts/lock.py

clean:
	rm -rf $(VENV) src/parvis/web/static/vendor src/parvis/web/official tests/browser/vendor

$(VENV)/.runtime: $(INSTALLED_BY)
	sh build/environment.sh $(VENV) demo
	@touch $@

$(VENV)/.development: $(INSTALLED_BY)
	sh build/environment.sh $(VENV) dev
	@touch $@ $(VENV)/.runtime
