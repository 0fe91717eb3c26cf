# Copyright (c) 2026, the selfhost.langgraph authors
# SPDX-License-Identifier: GPL-3.0-or-later
# Everything happens in build/ and in containers named selfhost-langgraph-*; `make demo-down` removes all of it.
# The checks are sessions of noxfile.py: `build/venv/bin/nox --list` lists them.
.DEFAULT_GOAL := help
.PHONY: help demo demo-down base-image test lint unit integration torture sanity newest importer smoke molecule bench \
  docs engine python hosts prepare
ifndef SELFHOST_T0
export SELFHOST_T0 := $(shell date +%s)
endif
TOOLS := tests/tools
PYTHON_VENV := build/venv/bin/python
NOX := $(PYTHON_VENV) -m nox
HOSTS := host:trixie host:bookworm
SCENARIO ?= default
ONLY ?=
PARTS ?=
ROUNDS ?= 2

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-12s %s\n", $$1, $$2}' Makefile

demo: HOSTS := host:bookworm
demo: prepare ## a bare host, two LangGraph deployments on it, one run through each
	@$(NOX) --session demo

demo-down: ## remove demo, tests and an engine that they started; Debian packages stay
	@$(TOOLS)/down.sh all

base-image: engine python ## the base image with the open runtime, for images that need no licence (docs/without-a-licence.md)
	@$(TOOLS)/images.sh base

test: engine python ## everything below but bench and docs (PARTS='lint unit' for some)
	@$(PYTHON_VENV) $(TOOLS)/gate.py $(PARTS)

lint: python ## ruff, yamllint, ansible-lint, mypy, antsibull
	@$(NOX) --session lint

unit: python ## the unit tests (ARGS='-k name' for pytest)
	@$(NOX) --session unit -- $(ARGS)

integration: engine python ## the claim modules against real servers of both releases (ARGS= for pytest)
	@$(NOX) --session integration -- $(ARGS)

torture: engine python ## fifty processes claim two hundred deployments and are killed (ROUNDS=2 SEED=...)
	@$(NOX) --session torture -- --rounds $(ROUNDS) $(if $(SEED),--seed $(SEED))

sanity: python ## ansible-test: the sanity tests and the unit tests (ARGS='--test pylint' for some sanity tests alone)
	@$(NOX) --session 'sanity(oldest)' $(if $(ARGS),-- $(ARGS),'units(oldest)')

newest: python ## the same with the newest ansible-core on Python 3.13, in a container where this machine has none
	@$(NOX) --session 'sanity(newest)' $(if $(ARGS),-- $(ARGS),'units(newest)')

importer: python ## what Galaxy's importer, ansible-builder and REUSE say of the tarball
	@$(NOX) --session importer

smoke: python ## the tarball, installed offline into a clean environment: documentation, playbooks, a refusal
	@$(NOX) --session smoke

molecule: prepare ## the scenario SCENARIO=default, or all of them with SCENARIO=
	@$(NOX) --session molecule -- $(SCENARIO)

bench: prepare ## the benchmarks, or some of them with ONLY=noop; writes build/benchmark.json
	@$(NOX) --session bench -- $(if $(ONLY),--only $(ONLY))

docs: python ## the documentation site in build/docs/html; a warning is an error
	@$(NOX) --session docs

# What the targets above need. In parallel where both may take minutes: pip, and the packages of the hosts.

engine:
	@$(TOOLS)/bootstrap.sh engine

python:
	@$(TOOLS)/bootstrap.sh venv collections

hosts:
	@$(TOOLS)/images.sh $(HOSTS)

prepare: engine
	@$(MAKE) --no-print-directory --jobs=2 HOSTS='$(HOSTS)' python hosts
	@$(TOOLS)/images.sh agent
