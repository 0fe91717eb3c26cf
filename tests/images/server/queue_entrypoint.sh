#!/bin/sh
# Copyright (c) 2026, the selfhost.langgraph authors
# SPDX-License-Identifier: GPL-3.0-or-later
# Start a queue worker; the API server owns the schema.
set -e
: "${DATABASE_URI:=${POSTGRES_URI:-}}"
[ -z "${REDIS_URI_CUSTOM:-}" ] || REDIS_URI=$REDIS_URI_CUSTOM
export DATABASE_URI REDIS_URI LG_RUNTIME_PG_AUTO_MIGRATE=false
exec python3 -m langgraph_api.queue_entrypoint
