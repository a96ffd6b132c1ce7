# Requirements: make, and Python 3.11 or newer with its venv module. Each target installs what it
# needs into .venv. No recipe names the path of the checkout, so the path may contain spaces.

PYTHON ?=
VENV   := .venv
BIN    := $(VENV)/bin
DEMO   := $(VENV)/.demo-installed
DEV    := $(VENV)/.dev-installed
INSTALL = $(BIN)/python -m pip install -qq --disable-pip-version-check --require-hashes -r
VERSION = $(shell sed -n 's/^image: .*:\([0-9.]*\).*/\1/p' pipe.yml)
IMAGE   = nholuongut/bitbucket-deploy-pipe:$(VERSION)
# One more than there are cores: many tests wait for containers and processes.
WORKERS = $(shell echo $$(( $$(getconf _NPROCESSORS_ONLN) + 1 )))
# Builds are dated by the commit, so that two builds of one commit are identical. BASE replaces the
# base image: make image BASE=mirror.example/python:3.13-slim-trixie
COMMIT  = $(shell git rev-parse HEAD 2>/dev/null || echo unknown)
EPOCH   = $(shell git log -1 --format=%ct 2>/dev/null || echo 0)
LABELS  = --build-arg VERSION=$(VERSION) --build-arg REVISION=$(COMMIT) \
	  --build-arg SOURCE_DATE_EPOCH=$(EPOCH) $(if $(BASE),--build-arg BASE=$(BASE))

.DEFAULT_GOAL := help
.PHONY: help demo sandbox test image-test bench fuzz reliability kubernetes lint audit format \
	docs picture version next changes lock image images publish size sbom shipped clean

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## /\1|/p' Makefile | while IFS='|' read -r name text; do \
	  printf '  make %-11s %s\n' "$$name" "$$text"; done

demo: $(DEMO) ## run the pipe against a local portal and AWS: role, image check, deploy, rollback
	@$(BIN)/python -m tests.demo

sandbox: $(DEMO) ## serve the local portal for manual experiments; prints usage
	@$(BIN)/python -m tests.sandbox

# Tests are rewritten before they run; as bytecode, the next run finds them so.
test: export PYTHONDONTWRITEBYTECODE =
test: $(DEV) ## run all tests; container tests are skipped without a Docker engine
	@$(BIN)/python -m pytest -n $(WORKERS)

image-test: $(DEV) ## run the tests once more with the image's Python and libraries; needs Docker
	@$(BIN)/python -m pytest -n auto -m image_test

# ARGS='--long', ARGS=--write, ... (see its --help)
bench: $(DEV) ## compare start-up, image and deployments with other tools: one table, five minutes
	@$(BIN)/python -m tests.bench $(ARGS)

fuzz: $(DEV) ## run over 20,000 new cases of hostile input (ten minutes)
	@FUZZ=full $(BIN)/python -m pytest -n auto tests/fuzz

reliability: $(DEV) ## run every fault, kill, race, canary and fuzz case; print one table
	@$(BIN)/python -m tests.reliability

kubernetes: $(DEV) ## run the pipe against the cluster that KUBECONFIG names; print one table
	@$(BIN)/python -m tests.live

lint: $(DEV) ## check style, types, security and the Dockerfile
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/bandit --quiet --recursive --configfile pyproject.toml pipe image
	$(BIN)/hadolint Dockerfile

audit: $(DEV) ## look up known vulnerabilities of the image's packages
	$(BIN)/pip-audit --disable-pip --require-hashes -r requirements.txt

format: $(DEV) ## format the code and apply safe fixes
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

# RELEASE sets an upcoming version: make docs RELEASE=1.1.0
docs: $(DEV) ## regenerate the generated parts of the documents
	@$(BIN)/python -m docs.generate $(if $(RELEASE),--version $(RELEASE))
	@$(BIN)/semversioner changelog >CHANGELOG.md

picture: $(DEV) ## take the README's screenshot of a report page; needs chromium
	@$(BIN)/python -m tests.picture

version: ## print the version in pipe.yml
	@echo $(VERSION)

next: $(DEV) ## print the version that the pending changesets lead to
	@$(BIN)/semversioner next-version

changes: $(DEV) ## fail if there is no pending changeset
	@$(BIN)/semversioner check

lock: $(DEV) ## lock requirements*.in into requirements*.txt, with hashes
	@for name in requirements requirements-demo requirements-dev; do \
	  $(BIN)/uv pip compile --quiet --universal \
	    --python-version 3.11 --generate-hashes --no-emit-index-url $$name.in -o $$name.txt; done

image: ## build the container image for this machine
	docker build $(LABELS) --tag $(IMAGE) .

images: ## build the container image for both architectures, with docker buildx
	docker buildx build $(LABELS) --platform linux/amd64,linux/arm64 --tag $(IMAGE) .

publish: ## build for both architectures and push, with SBOM and provenance attestations
	docker buildx build $(LABELS) --platform linux/amd64,linux/arm64 --tag $(IMAGE) \
	  --sbom=true --provenance=mode=max --push .

size: image ## print what the compressed image consists of; fail above 12 MB
	@$(or $(PYTHON),python3) image/contents.py $(IMAGE)
	@docker save $(IMAGE) | gzip -6 | wc -c | \
	  awk '{ printf "%.1f MB compressed, limit 12 MB\n", $$1 / 1e6; exit $$1 > 12e6 }'

sbom: $(DEV) image ## write the image's bill of materials to build/sbom.json (CycloneDX)
	$(BIN)/python image/sbom.py $(IMAGE) build/sbom.json

shipped: $(DEV) ## write the SBOM of the published image, for the release's downloads
	docker pull --quiet $(IMAGE)
	$(BIN)/python image/sbom.py $(IMAGE) build/bitbucket-deploy-pipe-$(VERSION).cdx.json

clean: ## remove everything that make created
	rm -rf $(VENV) .demo build .coverage .coverage.* test-results \
	  .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# Stamps are touched last, so that an interrupted installation is started again.
$(DEMO): requirements-demo.txt requirements-dev.txt
	@python=$$(PYTHON='$(PYTHON)' sh .ci/python) && rm -rf $(VENV) && "$$python" -m venv $(VENV)
	@echo 'Installing the requirements of the demo into $(VENV), once ...'
	@$(INSTALL) requirements-demo.txt
	@touch $(DEMO)

# Adds to the demo's requirements; both lock files hold the same versions.
$(DEV): $(DEMO)
	@echo 'Installing the requirements of the tests into $(VENV), once ...'
	@$(INSTALL) requirements-dev.txt
	@touch $(DEV)
