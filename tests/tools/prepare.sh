#!/usr/bin/env bash
# Copyright (c) 2026, the selfhost.langgraph authors
# SPDX-License-Identifier: GPL-3.0-or-later
# Prepare everything for tests on hosts: engine, tools, images. In parallel: pip, and the hosts' packages.
# usage: prepare.sh [RELEASE...]
set -euo pipefail
. "$(dirname "$0")/lib.sh"
TOOLS=$ROOT/tests/tools
[ $# != 0 ] || set -- bookworm trixie
"$TOOLS/bootstrap.sh" engine
"$TOOLS/bootstrap.sh" venv collections &
python=$!
"$TOOLS/images.sh" "${@/#/host:}" &
hosts=$!
failed=0
wait "$python" || failed=1
wait "$hosts" || failed=1
[ "$failed" = 0 ]
"$TOOLS/images.sh" agent
