SHELL := /bin/bash
.DEFAULT_GOAL := help
BIN := .venv/bin
CODE := $(wildcard pipeline_state functions infra tests)
export SAM_CLI_TELEMETRY := 0
export __SAM_CLI_APP_DIR := $(CURDIR)/.aws-sam/cli

.PHONY: help
help:  ## this list
	@sed -nE 's/^([a-z-]+):[^#]*## (.*)/\1\t\2/p' $(MAKEFILE_LIST) | expand -t 16

.PHONY: setup
setup: .venv/.installed  ## the locked environment in .venv; Helm and kubectl in the cache directory
	@:

.venv/.installed: infra/locks/dev.lock infra/locks/uv.lock infra/local/setup.sh
	@infra/local/setup.sh

.PHONY: demo
demo: setup  ## from a signed push to a Helm release, on this machine
	@$(BIN)/gatestream demo

.PHONY: test
test: setup  ## the whole suite, random order, with the network beyond loopback denied (ARGS=…)
	@$(BIN)/python -m infra.local.tools
	@echo '==> Packages of the shared layer' && $(BIN)/python -m infra.layers.build shared
	@$(BIN)/python -m infra.local.loopback -- $(BIN)/python -m pytest -n auto --dist worksteal $(ARGS)

.PHONY: cluster-assets
cluster-assets: setup  ## a Kubernetes control plane, built with Go once into the cache directory: ten minutes on two cores
	@$(BIN)/python -m infra.local.control_plane.assets

# KUBECONFIG counts only where it is given to make itself: many a shell has one, of a cluster that matters.
.PHONY: test-cluster
ifeq ($(origin KUBECONFIG),command line)
test-cluster: cluster-assets
	@echo "==> The embedded cluster, and $(KUBECONFIG): in namespaces of their own, which go afterwards"
	@GATESTREAM_REQUIRE_CONTROL_PLANE=1 GATESTREAM_CLUSTERS='embedded kubeconfig' \
		$(BIN)/python -m pytest -n auto --dist worksteal -m cluster $(ARGS) tests/contract
else
test-cluster: cluster-assets  ## the installer's cases on the embedded cluster and a real control plane (KUBECONFIG=FILE: on that one)
	@GATESTREAM_REQUIRE_CONTROL_PLANE=1 \
		$(BIN)/python -m infra.local.loopback -- $(BIN)/python -m pytest -n auto --dist worksteal -m cluster $(ARGS) tests/contract
endif

.PHONY: fuzz
fuzz: setup  ## the state machine of tests/property for hours, not minutes (ARGS='--examples 50000 --seed 1')
	@$(BIN)/python -m tests.property.fuzz $(ARGS)

.PHONY: lint
lint: setup  ## ruff: rules and format
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check

.PHONY: types
types: setup  ## mypy --strict
	@$(BIN)/mypy $(CODE)

.PHONY: layers
layers: setup  ## import-linter: imports point one way
	@$(BIN)/lint-imports --no-logo

.PHONY: template
template: setup  ## cfn-lint and sam validate on template.yaml
	@$(BIN)/python -m infra.local.tools sam
	@$(BIN)/cfn-lint template.yaml infra/audit/template.yaml
	@"$$($(BIN)/python -c 'from infra.local.tools import sam; print(sam())')" validate --lint --region us-east-1

.PHONY: bench
bench: setup  ## the ratios of tests/bench, as a table and one line of JSON
	@$(BIN)/python -m tests.bench

.PHONY: mutants
mutants: setup  ## what the tests do not notice of changes to the pure core and the transitions: half an hour (ARGS=FILE …)
	@$(BIN)/python -m infra.local.tools mutmut
	@nice -n 19 $(BIN)/python -m tests.mutants $(ARGS)

COMPILE = $(BIN)/python -m infra.local.pip_settings pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate \
	--custom-compile-command 'make lock' $(if $(UPGRADE),--upgrade)
RUNTIME_BRINGS := boto3 botocore jmespath s3transfer
NEVER_IMPORTED := pydantic pydantic-core annotated-types typing-inspection # only pyhelm3's Client would: see deploy/command.py

.PHONY: lock
lock: setup  ## infra/locks from pyproject.toml; UPGRADE=1 takes the newest versions
	$(COMPILE) pyproject.toml --extra cli --group dev --group uv -o infra/locks/dev.lock
	$(COMPILE) pyproject.toml $(patsubst %,--no-emit-package %,$(RUNTIME_BRINGS) $(NEVER_IMPORTED)) -c infra/locks/dev.lock -o infra/locks/layer.lock
	$(COMPILE) --group uv -c infra/locks/dev.lock -o infra/locks/uv.lock
	$(COMPILE) --group sam -o infra/locks/sam.lock
	$(COMPILE) --group mutants -c infra/locks/dev.lock -o infra/locks/mutants.lock

.PHONY: clean
clean:  ## removes what was made in the checkout; the cache directory stays
	rm -rf .venv .aws-sam .gatestream .hypothesis .mypy_cache .pytest_cache .ruff_cache .import_linter_cache
	find $(CODE) -name __pycache__ -prune -exec rm -rf {} +
