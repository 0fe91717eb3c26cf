# Copyright (c) 2026, the selfhost.langgraph authors
# SPDX-License-Identifier: GPL-3.0-or-later
# Everything happens in build/ and in containers named selfhost-langgraph-*; `make demo-down` removes all of it.
SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help demo demo-down base-image test lint unit integration torture sanity newest importer smoke molecule bench docs
ifndef SELFHOST_T0
export SELFHOST_T0 := $(shell date +%s)
endif
export PATH := $(CURDIR)/build/venv/bin:$(PATH)
export ANSIBLE_COLLECTIONS_PATH := $(CURDIR)/build/collections
export ANSIBLE_HOME := $(CURDIR)/build/ansible
export MOLECULE_GLOB := molecule/*/molecule.yml
TOOLS := tests/tools
SCENARIO ?= default
ONLY ?=
PARTS ?=
ROUNDS ?= 2

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-12s %s\n", $$1, $$2}' Makefile

demo: ## a bare host, two LangGraph deployments on it, one run through each
	@$(TOOLS)/demo.sh

demo-down: ## remove demo, tests and an engine that they started; Debian packages stay
	@$(TOOLS)/down.sh all

base-image: ## the base image with the open runtime, for images that need no licence (docs/without-a-licence.md)
	@$(TOOLS)/bootstrap.sh engine venv
	@$(TOOLS)/images.sh base

test: ## everything below but bench and docs (PARTS='lint unit' for some)
	@$(TOOLS)/bootstrap.sh engine
	@$(TOOLS)/test.sh $(PARTS)

lint: ## ruff, yamllint, ansible-lint, mypy, antsibull
	@$(TOOLS)/bootstrap.sh venv collections
	@$(TOOLS)/lint.sh

unit: ## the unit tests (ARGS='-k name' for pytest)
	@$(TOOLS)/bootstrap.sh venv collections
	@pytest -n 2 --junitxml=build/results/unit.xml $(ARGS)

integration: ## the claim modules against real servers of both releases (ARGS= for pytest)
	@$(TOOLS)/bootstrap.sh engine venv collections
	@$(TOOLS)/images.sh servers:bookworm servers:trixie
	@for release in bookworm trixie; do CLAIMS_ROOTFS=$(CURDIR)/build/servers/$$release \
	  pytest -n 2 --junitxml=build/results/integration-$$release.xml $(ARGS) tests/integration || exit 1; done
	@CLAIMS_ROOTFS=$(CURDIR)/build/servers/trixie CLAIMS_REDIS=valkey-server pytest -n 2 \
	  --junitxml=build/results/integration-valkey.xml $(ARGS) tests/integration/claims/test_{redis_database,redis_instance,properties,trespass}.py

torture: ## fifty processes claim two hundred deployments and are killed (ROUNDS=2 SEED=...)
	@$(TOOLS)/bootstrap.sh engine venv collections
	@$(TOOLS)/images.sh servers:trixie
	@CLAIMS_ROOTFS=$(CURDIR)/build/servers/trixie \
	  python tests/torture/run.py --rounds $(ROUNDS) $(if $(SEED),--seed $(SEED))

sanity: ## ansible-test: the sanity tests and the unit tests (ARGS='--test pylint' for some sanity tests alone)
	@$(TOOLS)/bootstrap.sh venv collections
	@$(TOOLS)/ansible_test.sh sanity $(ARGS)
	@$(if $(ARGS),,$(TOOLS)/ansible_test.sh units)

newest: ## the same with the newest ansible-core on Python 3.13, in a container where this machine has none
	@$(TOOLS)/bootstrap.sh venv collections
	@$(TOOLS)/ansible_test.sh newest sanity $(ARGS)
	@$(if $(ARGS),,$(TOOLS)/ansible_test.sh newest units)

importer: ## what Galaxy's importer, ansible-builder and REUSE say of the tarball
	@$(TOOLS)/bootstrap.sh venv collections
	@$(TOOLS)/importer.sh

smoke: ## the tarball, installed offline into a clean environment: documentation, playbooks, a refusal
	@$(TOOLS)/bootstrap.sh venv collections
	@$(TOOLS)/smoke.sh

molecule: ## the scenario SCENARIO=default, or all of them with SCENARIO=
	@$(TOOLS)/prepare.sh
	@$(TOOLS)/molecule.sh $(SCENARIO)

bench: ## the benchmarks, or some of them with ONLY=noop; writes build/benchmark.json
	@$(TOOLS)/prepare.sh
	@python tests/benchmark/run.py $(if $(ONLY),--only $(ONLY))

docs: ## the documentation site in build/docs/html; a warning is an error
	@$(TOOLS)/bootstrap.sh venv collections
	@$(TOOLS)/docs.sh
