# To start: `make run`. Before each commit: `make check`. `make help` lists all targets.

SHELL := /bin/sh
.DEFAULT_GOAL := help
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
NPM_FOLDERS := bench/peers tests/parsers tests/helm
# Without --no-deps, pip would resolve dependencies again, although the lock files are complete.
PIP := $(BIN)/pip --disable-pip-version-check install --quiet --no-deps
ARGS ?=
CHECKS ?= env CI=true make test

.PHONY: png-packages help setup run dist release release-files demo check test test-slow lint format coverage golden surface translations pictures bench soak image-check lock pins-check system-packages clean

help: ## List the targets.
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: $(VENV)/.ready-dev system-packages ## Install everything needed to run, test and check.

run: $(VENV)/.ready png-packages ## Run the service, by default on http://127.0.0.1:8000.
	@exec $(BIN)/gunicorn -c config/gunicorn.conf.py

dist: $(VENV)/.ready-dev ## Build the wheel and the sdist in dist/.
	@scripts/build-dist dist

release: $(VENV)/.ready-dev ## Cut a release (VERSION=1.2.0): checks, changelog, tag, wheel, SBOM; pushes nothing.
	@$(BIN)/python -m scripts.release "$(VERSION)" --checks "$(CHECKS)"

release-files: $(VENV)/.ready-dev ## Build a release's files from this commit: wheel, sdist, SBOMs, checksums.
	@$(BIN)/python -c "from scripts import release; release.build(release.current_version())"

demo: $(VENV)/.ready ## Fill the catalogue with sample data.
	@$(BIN)/badge demo

check: $(VENV)/.ready-dev png-packages lint ## Run lint, unit and web tests (about a minute).
	@$(BIN)/pytest -q -n auto --dist loadfile -m "not slow" tests/unit tests/web $(ARGS)

test: setup lint ## Run lint, and all tests except the slow ones, as CI does.
	@scripts/run-tests $(BIN)/pytest $(ARGS)

test-slow: setup ## Run the slow tests (failovers, full disks, upgrades, …), and the browser tests behind proxies.
	@$(BIN)/pytest -m slow $(ARGS)
	@for proxy in nginx caddy; do BEHIND=$$proxy $(BIN)/pytest tests/browser || exit 1; done

lint: $(VENV)/.ready-dev ## Check style, types and import contracts.
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/mypy
	@$(BIN)/lint-imports

format: $(VENV)/.ready-dev ## Format the code and apply automatic fixes.
	@$(BIN)/ruff check --fix
	@$(BIN)/ruff format

coverage: setup ## Measure test coverage, in one process.
	@$(BIN)/pytest --cov --cov-report=term-missing:skip-covered tests/unit tests/web tests/contracts tests/integration

golden: $(VENV)/.ready-dev ## Redraw the reference pictures in tests/golden; look at them before you commit.
	@$(BIN)/python -m tests.golden.rewrite

surface: $(VENV)/.ready-dev ## Record the public interface in tests/contracts/surface.json; review the diff before you commit.
	@$(BIN)/python -m tests.surface

translations: $(VENV)/.ready-dev ## Update and compile the translations.
	@mkdir -p build
	@$(BIN)/pybabel -q extract --no-location --sort-output -k marked -o build/badge.pot badge
	@$(BIN)/pybabel -q update -D badge -i build/badge.pot -d badge/translations \
	  --no-fuzzy-matching --no-wrap --ignore-obsolete --ignore-pot-creation-date
	@$(BIN)/pybabel -q compile -D badge -d badge/translations --statistics

pictures: setup ## Retake the screenshots in docs/pictures.
	@$(BIN)/python -m tests.browser.pictures

bench: $(VENV)/.ready-dev ## Benchmark against peers; writes the results to bench/RESULTS.md.
	@scripts/system-packages "the benchmarks" wrk nginx varnish postgresql
	@$(BIN)/python -m bench $(ARGS)

soak: setup ## Run services under load and faults for several minutes; check for lost data and leaks.
	@$(BIN)/python -m bench.soak $(ARGS)

image-check: $(VENV)/.ready-dev ## Build the image and test it with Podman: alone, with Compose and as the Helm chart's pod (needs root).
	@scripts/system-packages "the image check" debootstrap podman crun netavark aardvark-dns iptables catatonit
	@$(BIN)/python scripts/image_check.py

lock: $(VENV)/.ready-dev ## Pin requirements*.in with hashes (ARGS=--upgrade for newer versions).
	@for set in "" "-build" "-postgresql" "-aws" "-notify" "-dev"; do \
	  $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	    --no-emit-index-url --custom-compile-command "make lock" $(ARGS) $${set:+-c requirements.txt} \
	    requirements$$set.in -o requirements$$set.txt || exit 1; \
	done
	@$(MAKE) --no-print-directory pins-check

pins-check: $(VENV)/.ready-dev ## Check that the image's packages have wheels for x86-64 and AArch64 (needs the network).
	@for platform in x86_64 aarch64; do \
	  $(BIN)/uv pip install --quiet --dry-run --no-deps --require-hashes --only-binary :all: --target build/none \
	    --python-version 3.11 --python-platform $$platform-manylinux_2_36 \
	    $$(grep -o 'requirements[a-z-]*\.txt' Dockerfile | sort -u | sed 's/^/-r /') || exit 1; \
	done

png-packages:
	@scripts/system-packages "drawing PNGs (optional)" libcairo2 fonts-dejavu-core fonts-droid-fallback fonts-symbola

system-packages: png-packages
	@scripts/system-packages "the browser tests" chromium-headless-shell
	@scripts/system-packages "the tests of backup systems" prometheus prometheus-pushgateway restic borgbackup pgbackrest barman jq
	@scripts/system-packages "the tests of TLS" openssl redis-tools
	@scripts/system-packages "the tests of the catalogue on PostgreSQL" postgresql pgbouncer
	@scripts/system-packages "the tests of pings" borgmatic curl
	@scripts/system-packages "the tests of snippets" cmark-gfm
	@scripts/system-packages "the tests of the proxies' configurations in config/" nginx caddy apache2
	@scripts/system-packages "the tests of other proxies" varnish squid haproxy
	@scripts/system-packages "the tests of monitors" prometheus-blackbox-exporter
	@scripts/system-packages "the tests of the feed" libxml2-utils
	@scripts/system-packages "the tests of the systemd unit" systemd

clean: ## Remove everything built or installed here, but not the data in var/.
	@rm -rf $(VENV) build dist .coverage .hypothesis .pytest_cache .mypy_cache .ruff_cache .import_linter_cache *.egg-info \
	  $(NPM_FOLDERS:%=%/node_modules)

$(VENV)/bin/pip:
	@scripts/check-python $(PYTHON)
	@echo "Creating $(VENV) …"
	@$(PYTHON) -m venv $(VENV)

$(VENV)/.ready: requirements.txt requirements-build.txt pyproject.toml | $(VENV)/bin/pip
	@echo "Installing runtime packages (pinned, with hashes) …"
	@$(PIP) --require-hashes -r requirements.txt -r requirements-build.txt
	@$(PIP) --no-build-isolation --no-index --editable .
	@touch $@

$(VENV)/.ready-dev: requirements-dev.txt $(NPM_FOLDERS:%=%/package-lock.json) $(VENV)/.ready
	@echo "Installing development packages (pinned, with hashes) …"
	@$(PIP) --require-hashes -r requirements-dev.txt
	@$(BIN)/pip --disable-pip-version-check check
	@for folder in $(NPM_FOLDERS); do \
	  (cd $$folder && PATH="$(CURDIR)/$(BIN):$$PATH" npm ci --silent --no-audit --no-fund) || exit 1; \
	done
	@touch $@
