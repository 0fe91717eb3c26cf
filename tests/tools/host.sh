#!/usr/bin/env bash
# Copyright (c) 2026, the selfhost.langgraph authors
# SPDX-License-Identifier: GPL-3.0-or-later
# Test hosts: containers with systemd as PID 1, on one network.
# usage: host.sh up NAME RELEASE | reboot NAME | restart NAME | address NAME | down NAME... | down-all | inventory HOST=NAME...
set -euo pipefail
. "$(dirname "$0")/lib.sh"

# Less than --privileged (which needs an engine with CAP_SYS_RESOURCE), enough for systemd and an engine inside.
CAPABILITIES="AUDIT_CONTROL AUDIT_WRITE CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID IPC_LOCK IPC_OWNER KILL LEASE
  LINUX_IMMUTABLE MKNOD NET_ADMIN NET_BIND_SERVICE NET_BROADCAST NET_RAW SETFCAP SETGID SETPCAP SETUID SYS_ADMIN SYS_BOOT
  SYS_CHROOT SYS_NICE SYS_PTRACE SYS_TTY_CONFIG"

state() { docker exec "$1" systemctl is-system-running 2>/dev/null || true; }

wait_booted() {
  local waited=0 now=
  until now=$(state "$1") && [[ $now =~ ^(running|degraded)$ ]]; do
    waited=$((waited + 1))
    if [ "$waited" -gt 120 ]; then
      docker logs --tail 20 "$1" >&2
      die "$1 does not boot: systemctl reports '$now'"
    fi
    sleep 0.5
  done
  say "host $1 is $now"
}

# Two hosts that start at the same time must not create it twice: the engine would allow it.
network() {
  flock "$BUILD/network.lock" bash -c \
    'docker network inspect "$1" >/dev/null 2>&1 || docker network create --label "$2" "$1" >/dev/null' - "$PREFIX" "$LABEL"
}

up() { # name, release
  local name=$1 release=$2 cap options=()
  network
  if docker container inspect "$name" >/dev/null 2>&1; then
    docker start "$name" >/dev/null
    wait_booted "$name"
    return
  fi
  for cap in $CAPABILITIES; do options+=("--cap-add=$cap"); done
  docker volume create --label "$LABEL" "$name-docker" >/dev/null
  docker run --detach --name "$name" --hostname "$name" --label "$LABEL" --network "$PREFIX" --cap-drop=ALL "${options[@]}" \
    --security-opt seccomp=unconfined --security-opt apparmor=unconfined --security-opt systempaths=unconfined \
    --device-cgroup-rule 'a *:* rwm' --cgroupns=private --tmpfs /run --tmpfs /run/lock --tmpfs /tmp:exec \
    --volume "$name-docker:/var/lib/docker" --tty "$PREFIX/host:$release" >/dev/null
  wait_booted "$name"
}

# Wait for as long as the drains of its services may take, but not longer than the host needs.
reboot() { # name
  restart "$1"
  wait_booted "$1"
}

# The same without waiting for the boot, for tests of the boot itself.
restart() { docker restart --time 240 "$1" >/dev/null; } # name

down() {
  local name
  for name in "$@"; do
    docker rm --force --volumes "$name" >/dev/null 2>&1 || true
    docker volume rm --force "$name-docker" >/dev/null
    say "host $name is removed"
  done
}

down_all() {
  local found
  mapfile -t found < <(docker ps --all --filter "label=$LABEL" --format '{{.Names}}')
  down "${found[@]}"
  docker volume ls --quiet --filter "label=$LABEL" | xargs -r docker volume rm >/dev/null
  docker network ls --quiet --filter "label=$LABEL" | xargs -r docker network rm >/dev/null
}

inventory() { # HOST=CONTAINER... -> YAML
  local pair
  printf -- '---\nall:\n  hosts:\n'
  for pair in "$@"; do
    printf '    %s:\n      ansible_connection: community.docker.docker\n      ansible_host: %s\n      ansible_python_interpreter: /usr/bin/python3\n' \
      "${pair%%=*}" "${pair#*=}"
  done
}

case ${1:-} in
  up) up "$2" "$3" ;;
  reboot) reboot "$2" ;;
  restart) restart "$2" ;;
  address) docker inspect --format '{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}' "$2" ;;
  down) shift && down "$@" ;;
  down-all) down_all ;;
  inventory) shift && inventory "$@" ;;
  *) die "usage: host.sh up NAME RELEASE | reboot NAME | restart NAME | address NAME | down NAME... | down-all | inventory HOST=NAME..." ;;
esac
