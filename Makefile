SHELL := /bin/bash
.DEFAULT_GOAL := help
BIN := .venv/bin

.PHONY: help
help:  ## this list
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*##/\t/' | expand -t 12

.PHONY: setup
setup: .venv/.installed  ## the locked virtual environment

.venv/.installed: pyproject.toml infra/locks/dev.lock infra/locks/uv.lock
	@infra/local/setup.sh
