#!/bin/sh
# Copyright (c) 2026, the selfhost.langgraph authors
# SPDX-License-Identifier: GPL-3.0-or-later
# Start the API server: the schema first, then uvicorn in place of this shell so that signals reach it.
set -e
# The open runtime reads only DATABASE_URI and REDIS_URI; the vendor's server takes these names too.
: "${DATABASE_URI:=${POSTGRES_URI:-}}"
[ -z "${REDIS_URI_CUSTOM:-}" ] || REDIS_URI=$REDIS_URI_CUSTOM
export DATABASE_URI REDIS_URI
# alembic's parser stumbles over '%' in a URI (percent-encoded passwords): migrate with it doubled, then switch that step off.
if [ "${LG_RUNTIME_PG_AUTO_MIGRATE:-true}" = true ]; then
  python3 - <<'PY'
from langgraph_runtime_pg import migrate

plain = migrate.to_sync_url
migrate.to_sync_url = lambda url: plain(url).replace("%", "%%")
print("schema at", migrate.upgrade_head())
PY
  export LG_RUNTIME_PG_AUTO_MIGRATE=false
fi
exec uvicorn langgraph_api.server:app --host "${LANGGRAPH_SERVER_HOST:-0.0.0.0}" --port "${PORT:-8000}" \
  --log-config /api/logging.json --no-access-log --timeout-graceful-shutdown "${BG_JOB_SHUTDOWN_GRACE_PERIOD_SECS:-180}"
