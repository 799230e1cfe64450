# make run    everything, in the foreground: http://localhost:8000 (PORT=8001 make run: elsewhere)
# make test   the whole test suite; ARGS="-k today" passes arguments on to pytest
# make setup  only the environment: .venv, the front-end libraries, the compiled translations
# make bench  what is measured: quality of the forecast, speed and memory; ARGS="forecast" runs one
# make bench-full    the same at 20,000, 200,000 and 2,000,000 customers: hours (docs/scale.md)
# make lint types layers   what the build checks besides
#
# Needs Python 3.11 or newer and nothing else. Works with GNU make 3.81 and later.

.PHONY: run test bench bench-full setup lint types layers clean
.DEFAULT_GOAL := run

# The first of these that is new enough; PYTHON=/path/to/python make ... chooses another.
PYTHONS := python3 python3.13 python3.12 python3.11 python3.14 python
NEW_ENOUGH := import sys; sys.exit(sys.version_info < (3, 11))
ifndef PYTHON
PYTHON := $(shell for p in $(PYTHONS); do $$p -c '$(NEW_ENOUGH)' 2>/dev/null && { echo $$p; break; }; done)
endif

BIN := .venv/bin
# Stamps: what was installed, and from which version of the lists.
INSTALLED := .venv/.installed
VENDORED := static/vendor/.vendored
CATALOGUES := $(patsubst %.po,%.mo,$(wildcard locale/*/LC_MESSAGES/*.po))

run: setup
	@$(BIN)/python manage.py up

test: setup
	$(BIN)/python -m pytest $(ARGS)

bench: $(INSTALLED)
	$(BIN)/python -m bench $(ARGS)

bench-full: $(INSTALLED)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -r bench/requirements.txt
	$(BIN)/python -m bench --full $(ARGS)

setup: $(INSTALLED) $(VENDORED) $(CATALOGUES)

$(BIN)/python:
	@if [ -z "$(PYTHON)" ]; then \
		echo "Perennial needs Python 3.11 or newer; `python3 --version 2>&1 || echo none` was found." >&2; \
		echo "Install one, or name it: make PYTHON=/path/to/python3.12 $(MAKECMDGOALS)" >&2; exit 1; fi
	@$(PYTHON) -c '$(NEW_ENOUGH)' || { echo "$(PYTHON) is older than Python 3.11." >&2; exit 1; }
	@echo "Making the environment in .venv with `$(PYTHON) --version`"
	@# Debian ships Python without ensurepip: pip, if the machine has it, then installs itself.
	@if $(PYTHON) -c 'import ensurepip' 2>/dev/null; then $(PYTHON) -m venv --clear .venv; else \
		$(PYTHON) -m venv --clear --without-pip .venv && $(PYTHON) -m pip --python $@ install --quiet pip; fi \
	|| { rm -f $@; echo "The environment could not be made. On Debian or Ubuntu: apt install python3-venv" >&2; exit 1; }

$(INSTALLED): $(BIN)/python requirements.txt requirements-dev.txt
	@echo "Installing the Python packages (a minute or two the first time)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt -r requirements-dev.txt
	@touch $@

$(VENDORED): $(INSTALLED) package.json package-lock.json config/vendor.py
	@echo "Fetching the front-end libraries"
	@$(BIN)/python -m config.vendor
	@touch $@

# Compiled here, so that nobody needs gettext installed.
%.mo: %.po $(INSTALLED)
	@$(BIN)/pybabel --quiet compile --input-file=$< --output-file=$@

lint: $(INSTALLED)
	$(BIN)/python -m ruff check .
	$(BIN)/python -m ruff format --check .
	$(BIN)/djlint templates --lint --quiet

types: $(INSTALLED)
	$(BIN)/python -m mypy .

layers: $(INSTALLED)
	$(BIN)/lint-imports

# What can be made again; the data under var/ stays.
clean:
	rm -rf .venv node_modules static/vendor staticfiles $(CATALOGUES)
