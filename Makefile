# `make demo` and `make test` are all a fresh machine needs: python3 >= 3.11 with venv, and make.
# No recipe names the checkout's path, so that it may hold a space.

PYTHON ?=
VENV   := .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed
VERSION = $(shell sed -n 's/^image: .*:\([0-9.]*\).*/\1/p' pipe.yml)
IMAGE   = nholuongut/bitbucket-deploy-pipe:$(VERSION)
# The commit's time makes two builds of it alike.
COMMIT  = $(shell git rev-parse HEAD 2>/dev/null || echo unknown)
EPOCH   = $(shell git log -1 --format=%ct 2>/dev/null || echo 0)
LABELS  = --build-arg VERSION=$(VERSION) --build-arg REVISION=$(COMMIT) \
	  --build-arg SOURCE_DATE_EPOCH=$(EPOCH)

.DEFAULT_GOAL := help
.PHONY: help demo sandbox test bench fuzz reliability lint audit format docs picture version next \
	changes lock image images publish size sbom shipped clean

help: ## this list
	@sed -n 's/^\([a-z]*\):.*## /\1|/p' Makefile | while IFS='|' read -r name text; do \
	  printf '  make %-11s %s\n' "$$name" "$$text"; done

demo: $(STAMP) ## the pipe against a portal and AWS of its own: role, proof, deploy, rollback
	@$(BIN)/python -m tests.demo

sandbox: $(STAMP) ## that portal on its own, for trying things by hand; it says how
	@$(BIN)/python -m tests.sandbox

test: $(STAMP) ## every test; those in containers are skipped where no Docker engine answers
	@$(BIN)/python -m pytest -n auto --dist loadgroup

bench: $(STAMP) ## the pipe beside the vendor's command line, and how soon each starts
	@$(BIN)/python -m tests.bench

fuzz: $(STAMP) ## more than 20,000 cases of hostile input, new ones every time (ten minutes)
	@FUZZ=full $(BIN)/python -m pytest -n auto tests/fuzz

reliability: $(STAMP) ## every fault, kill, intruder, canary and hostile input, and one table of them
	@$(BIN)/python -m tests.reliability

lint: $(STAMP) ## style, types, weaknesses, Dockerfile
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/bandit --quiet --recursive --configfile pyproject.toml pipe image
	$(BIN)/hadolint Dockerfile

audit: $(STAMP) ## known weaknesses of what the image is made of
	$(BIN)/pip-audit --disable-pip --require-hashes -r requirements.txt

format: $(STAMP) ## let ruff arrange the code
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

# RELEASE names a version to come: make docs RELEASE=1.1.0
docs: $(STAMP) ## write anew what the documents take from the program
	@$(BIN)/python -m docs.generate $(if $(RELEASE),--version $(RELEASE))
	@$(BIN)/semversioner changelog >CHANGELOG.md

picture: $(STAMP) ## photograph a report page for the README; needs chromium
	@$(BIN)/python -m tests.picture

version: ## the version in pipe.yml
	@echo $(VERSION)

next: $(STAMP) ## the version that the changesets make
	@$(BIN)/semversioner next-version

changes: $(STAMP) ## fails when there is no changeset
	@$(BIN)/semversioner check

lock: $(STAMP) ## requirements*.in -> requirements*.txt, with hashes
	@for name in requirements requirements-dev; do \
	  $(BIN)/uv pip compile --quiet --universal \
	    --python-version 3.11 --generate-hashes --no-emit-index-url $$name.in -o $$name.txt; done

image: ## the container image for this machine
	docker build $(LABELS) --tag $(IMAGE) .

images: ## the container image for both architectures, with docker buildx
	docker buildx build $(LABELS) --platform linux/amd64,linux/arm64 --tag $(IMAGE) .

publish: ## build for both architectures and push, with SBOM and provenance
	docker buildx build $(LABELS) --platform linux/amd64,linux/arm64 --tag $(IMAGE) \
	  --sbom=true --provenance=mode=max --push .

size: image ## what the image weighs; fails above 20 MB
	@docker save $(IMAGE) | gzip -6 | wc -c | \
	  awk '{ printf "%.1f MB compressed, of 20 that are allowed\n", $$1 / 1e6; exit $$1 > 20e6 }'

sbom: $(STAMP) image ## what the image is made of, as CycloneDX in build/sbom.json
	$(BIN)/python image/sbom.py $(IMAGE) build/sbom.json

shipped: $(STAMP) ## the same of the image in the registry: the file beside the release
	docker pull --quiet $(IMAGE)
	$(BIN)/python image/sbom.py $(IMAGE) build/bitbucket-deploy-pipe-$(VERSION).cdx.json

clean: ## remove everything that make made
	rm -rf $(VENV) .demo build .coverage .coverage.* test-results \
	  .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# Touched last, so a half-made environment is made again.
$(STAMP): requirements-dev.txt requirements.txt
	@python=$$(PYTHON='$(PYTHON)' sh .ci/python) && rm -rf $(VENV) && "$$python" -m venv $(VENV)
	@echo 'Installing what the tests need into $(VENV), once ...'
	@$(BIN)/python -m pip install -qq --disable-pip-version-check \
	  --require-hashes -r requirements-dev.txt
	@touch $(STAMP)
