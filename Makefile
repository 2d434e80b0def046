# Everything a newcomer needs: `make demo` and `make test`, each from a bare Debian or Ubuntu machine with Python.
PYTHON ?= python3
PIP_OPTIONS ?=
TEST_OPTIONS ?=
WORKERS ?= 3
VENV := .venv
BIN := $(VENV)/bin
SYSTEM_PACKAGES := tesseract-ocr poppler-utils
BROWSER_PACKAGES := chromium chromium-driver
# 12 MB to download: what the tests of pages in other languages read with and draw with.
LANGUAGE_PACKAGES := tesseract-ocr-osd tesseract-ocr-deu tesseract-ocr-chi-sim tesseract-ocr-jpn tesseract-ocr-heb \
  tesseract-ocr-rus fonts-wqy-microhei fonts-vlgothic
SUDO := $(shell [ "$$(id -u)" = 0 ] || echo sudo)
PARALLEL := -n $(WORKERS) --dist loadgroup --no-loadscope-reorder
SOURCES := model pipelines jobs tests benchmarks samples docs
# Each worker and job of the tests would compile every module anew.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help setup system browser languages demo check test test-slow coverage lint format lock clean

help:  ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

# Installs those of the packages $(1) that are missing, and says so.
define install_packages
	@missing=""; \
	for package in $(1); do \
	  dpkg-query -W -f '$${Status}' $$package 2>/dev/null | grep -q '^install ok installed' || missing="$$missing $$package"; \
	done; \
	$(PYTHON) -c 'import ensurepip' 2>/dev/null || missing="$$missing python3-venv"; \
	if [ -n "$$missing" ]; then \
	  echo "installing system packages:$$missing"; \
	  $(SUDO) apt-get update -qq && $(SUDO) env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $$missing; \
	fi
endef

system:
	$(call install_packages,$(SYSTEM_PACKAGES))

browser:
	$(call install_packages,$(BROWSER_PACKAGES))

languages:
	$(call install_packages,$(LANGUAGE_PACKAGES))

# `--no-compile`: half of the time would go to the bytecode of modules that nothing imports; the first import makes the rest.
$(VENV)/installed: pyproject.toml requirements.lock
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 10) <= sys.version_info < (3, 14))' || \
	  { echo "Python 3.10 to 3.13 is needed; choose one with: make PYTHON=python3.12"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade pip
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile $(PIP_OPTIONS) -c requirements.lock -e '.[dev]'
	@touch $@

setup: system $(VENV)/installed  ## install the system packages and the virtual environment .venv

demo: setup  ## run the extraction job on samples/ and say where its report is
	$(BIN)/python -m jobs.extract --input samples/documents --output demo-output --overwrite \
	  --fields samples/supplier-form-fields.yaml

lint: setup  ## ruff, mypy and the layers of the code
	$(BIN)/ruff check $(SOURCES)
	$(BIN)/ruff format --check $(SOURCES)
	$(BIN)/mypy
	$(BIN)/lint-imports

check: lint languages  ## the inner loop: lint, then the tests that need no Ray, browser or S3 server
	$(BIN)/python -m pytest $(PARALLEL) -m "not slow and not services" $(TEST_OPTIONS)

test: lint browser languages  ## lint, then every test but the slow ones
	$(BIN)/python -m pytest $(PARALLEL) -m "not slow" $(TEST_OPTIONS)

test-slow: setup browser languages  ## the soak and fuzz runs
	$(BIN)/python -m pytest -m slow $(TEST_OPTIONS)

coverage: setup browser languages  ## the tests of `make test` with their coverage by line and branch, workers and subprocesses included
	$(BIN)/coverage erase
	$(BIN)/coverage run -m pytest $(PARALLEL) -m "not slow" $(TEST_OPTIONS)
	$(BIN)/coverage combine --quiet
	$(BIN)/coverage report --skip-covered --sort cover

format: setup  ## format the code
	$(BIN)/ruff check --fix $(SOURCES)
	$(BIN)/ruff format $(SOURCES)

lock: setup  ## resolve requirements.lock anew
	$(BIN)/uv pip compile --universal --python-version 3.10 --extra dev --no-header --upgrade --quiet \
	  --constraint requirements.pinned --output-file requirements.lock pyproject.toml

clean:  ## remove the virtual environment and the demo's output
	rm -rf $(VENV) demo-output .coverage*
