#!/usr/bin/env bash
# Copyright (c) 2026, the selfhost.langgraph authors
# SPDX-License-Identifier: GPL-3.0-or-later
# Remove everything that the other tools created. usage: down.sh hosts | engine | all
# hosts: test hosts, their volumes and network. engine: only one that bootstrap.sh started. all: both, the images and build/.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

hosts() {
  docker ps --all --quiet --filter "label=$LABEL" | xargs -r docker rm --force --volumes >/dev/null
  docker volume ls --quiet --filter "label=$LABEL" | xargs -r docker volume rm >/dev/null
  docker network ls --quiet --filter "label=$LABEL" | xargs -r docker network rm >/dev/null
  say "test hosts are removed"
}

images() {
  docker image ls --format '{{.Repository}}:{{.Tag}}' "$PREFIX/*" | xargs -r docker image rm --force >/dev/null
  # Not forced: deployments on this machine may use it.
  docker image ls --format '{{.Repository}}:{{.Tag}}' demo-agent | xargs -r docker image rm >/dev/null \
    || say "demo-agent stays: containers on this machine use it"
  docker image prune --force --filter "label=$LABEL" >/dev/null
  say "images are removed"
}

engine() {
  local pid
  [ -e "$BUILD/engine.systemd" ] || [ -s "$BUILD/engine.pid" ] || return 0
  if docker ps --quiet 2>/dev/null | grep -q .; then
    say "the engine continues: it runs containers of other projects"
  elif [ -e "$BUILD/engine.systemd" ]; then
    systemctl stop docker.service docker.socket
    say "engine stopped, as it was before"
  else
    pid=$(cat "$BUILD/engine.pid")
    if [ "$(cat "/proc/$pid/comm" 2>/dev/null)" = dockerd ]; then
      kill "$pid"
      for _ in $(seq 60); do [ -d "/proc/$pid" ] || break; sleep 0.5; done
      say "engine stopped, as it was before"
    fi
  fi
  rm -f "$BUILD/engine.systemd" "$BUILD/engine.pid"
}

case ${1:-} in
  hosts) if answers; then hosts; fi ;;
  engine) engine ;;
  all)
    if answers; then hosts; images; fi
    engine
    rm -rf "$BUILD"
    say "build/ is removed; Debian packages that were installed (docker.io, mmdebstrap, ...) stay" ;;
  *) die "usage: down.sh hosts | engine | all" ;;
esac
