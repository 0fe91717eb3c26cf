#!/usr/bin/env bash
# Copyright (c) 2026, the selfhost.langgraph authors
# SPDX-License-Identifier: GPL-3.0-or-later
# Test images: rootfs -> bare systemd hosts; rootfs -> substitute of the server's base image -> `langgraph build`.
# usage: images.sh [rootfs:RELEASE | host:RELEASE | servers:RELEASE | agent | base]...   RELEASE: bookworm, trixie
set -euo pipefail
. "$(dirname "$0")/lib.sh"
HOST_DIR=tests/images/host SERVER_DIR=tests/images/server APP_DIR=examples/single-host/app
SERVER_IMAGE=$PREFIX/langgraph-api AGENT_IMAGE=demo-agent:1
BASE_IMAGE=open-langgraph/langgraph-api   # not named after the project: `make demo-down` leaves it
SERVERS="redis-server postgresql pgbouncer"

# The machine's own package sources, for another release if needed: never written to the repository.
sources_for() { # release -> file, in the format (and with the extension) of the original
  local file out
  for file in /etc/apt/sources.list.d/debian.sources /etc/apt/sources.list /etc/apt/sources.list.d/*.{sources,list}; do
    # There may be other sources, of programs that are not part of Debian.
    grep -qsE '^(deb |Suites:).*\b(bookworm|trixie)\b' "$file" && grep -qsE '^(deb |Components:).*\bmain\b' "$file" || continue
    out=$BUILD/images/$1.${file##*.}
    sed -E "/cdrom:/d; /^deb-src/d; s/\b(bookworm|trixie)\b/$1/g; s/[[:space:]]non-free-firmware//" "$file" >"$out"
    echo "$out"
    return
  done
  die "no package sources of Debian 12 or 13 in /etc/apt/sources.list or /etc/apt/sources.list.d"
}

bootstrap_rootfs() { # release, tar
  local sources
  sources=$(sources_for "$1")
  mmdebstrap --variant=minbase --include=python3,ca-certificates --aptopt='Acquire::Check-Valid-Until "false"' \
    --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/doc/*' \
    --dpkgopt='path-exclude=/usr/share/locale/*' "$1" "$2" "$sources"
}

rootfs() { # release
  local image=$PREFIX/rootfs:$1 tar=$BUILD/images/rootfs-$1.tar
  have_image "$image" && return
  if [ "${SELFHOST_LANGGRAPH_PULL:-0}" = 1 ] && timeout 60 docker pull -q "debian:$1-slim"; then
    printf 'FROM debian:%s-slim\nRUN apt-get update -q && apt-get install -q -y --no-install-recommends python3 ca-certificates\n' "$1" \
      | docker build -q -t "$image" -
    return
  fi
  bootstrap_rootfs "$1" "$tar"
  docker import "$tar" "$image"
  rm -f "$tar"
}

# BuildKit's client, for builds with it; most machines with Docker have it, but Debian 12 has no package for it.
BUILDX=$BUILD/docker/cli-plugins/docker-buildx
buildx() {
  mkdir -p "${BUILDX%/*}"
  docker run --rm --label "$LABEL" --entrypoint sh "$PREFIX/host:trixie" -c 'dpkg-deb --fsys-tarfile /var/cache/apt/archives/docker-buildx_*.deb' \
    | tar -xO ./usr/libexec/docker/cli-plugins/docker-buildx >"$BUILDX.new"
  chmod +x "$BUILDX.new"
  mv "$BUILDX.new" "$BUILDX"
}

host_ready() {
  [ "$1" != trixie ] || [ -x "$BUILDX" ] || return
  have_image "$PREFIX/host:$1" && fresh "host-$1" "$(hash_of "$HOST_DIR")"
}
host() { # release
  rootfs "$1"
  docker build --build-arg "RELEASE=$1" -t "$PREFIX/host:$1" "$HOST_DIR"
  [ "$1" != trixie ] || buildx
  stamp "host-$1" "$(hash_of "$HOST_DIR")"
}

# Redis and Postgres of a release as a directory for chroot: nothing is installed, or started, on this machine.
servers_ready() { fresh "servers-$1" "$(hash_of "$SERVERS")" && [ -d "$BUILD/servers/$1/usr" ]; }
servers() { # release
  local directory=$BUILD/servers/$1 container valkey=valkey-server
  [ "$1" != bookworm ] || valkey= # the first release that has it is trixie
  rootfs "$1"
  container=$(docker create --label "$LABEL" "$(
    printf 'FROM %s\nLABEL %s\nRUN apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -q -y %s && apt-get clean\n' \
      "$PREFIX/rootfs:$1" "$LABEL" "--no-install-recommends $SERVERS $valkey" | docker build -q -
  )" true)
  rm -rf "$directory" && mkdir -p "$directory"
  docker export "$container" | tar -x --exclude='dev/*' -C "$directory"
  docker rm "$container"
  echo '127.0.0.1 localhost' >"$directory/etc/hosts"   # the engine creates it empty
  mkdir -p -m 1777 "$directory/dev/shm"
  mknod -m 666 "$directory/dev/null" c 1 3 && mknod -m 666 "$directory/dev/urandom" c 1 9
  stamp "servers-$1" "$(hash_of "$SERVERS")"
}

# Wheels for the Python in the image, independent of the Python that runs here.
server_wheels() {
  local dir=$BUILD/wheels/server options
  mapfile -t options < <(wheels_for 3.11)
  mkdir -p "$dir"
  [ -e "$dir"/forbiddenfruit-*.whl ] || "$VENV/bin/pip" wheel -q --use-pep517 --no-deps --wheel-dir "$dir" \
    "$(grep ^forbiddenfruit requirements/server.txt)"   # has no wheel on PyPI
  "$VENV/bin/pip" download -q --no-deps "${options[@]}" --find-links "$dir" --dest "$dir" -r requirements/server.txt
}

server() { # what `langgraph build` takes as its base image
  local context=$BUILD/images/server
  server_wheels
  rm -rf "$context" && cp -r "$SERVER_DIR" "$context"
  cp requirements/server.txt "$context/requirements.txt"
  cp -rl "$BUILD/wheels/server" "$context/wheels"
  docker build --network=none -t "$SERVER_IMAGE:3.11" "$context"
  rm -rf "$context"
}

# The same image under a name that stays, for users without a licence.
base_hash() { hash_of "$SERVER_DIR" requirements/server.txt; }
base_ready() { have_image "$BASE_IMAGE:3.11" && fresh base "$(base_hash)"; }
base() {
  rootfs bookworm
  server
  docker tag "$SERVER_IMAGE:3.11" "$BASE_IMAGE:3.11"
  stamp base "$(base_hash)"
}

agent_hash() { hash_of "$SERVER_DIR" "$APP_DIR" requirements/server.txt; }
agent_ready() { have_image "$AGENT_IMAGE" && [ -s "$BUILD/images/demo-agent.tar" ] && fresh agent "$(agent_hash)"; }
agent() {
  rootfs bookworm
  server
  (cd "$APP_DIR" && "$VENV/bin/langgraph" build -t "$AGENT_IMAGE" --no-pull --base-image "$SERVER_IMAGE" --network=none)
  docker save --output "$BUILD/images/demo-agent.tar.new" "$AGENT_IMAGE"
  mv "$BUILD/images/demo-agent.tar.new" "$BUILD/images/demo-agent.tar"
  stamp agent "$(agent_hash)"
}

main() {
  local what
  mkdir -p "$BUILD/images"
  for what in "$@"; do
    case $what in
      rootfs:*) have_image "$PREFIX/$what" || step "image $PREFIX/$what" rootfs "${what#rootfs:}" ;;
      host:*) host_ready "${what#host:}" || step "image $PREFIX/$what" host "${what#host:}" ;;
      servers:*) servers_ready "${what#servers:}" || step "$what" servers "${what#servers:}" ;;
      agent) agent_ready || step "image $AGENT_IMAGE" agent ;;
      base) base_ready || step "image $BASE_IMAGE" base ;;
      *) die "unknown image $what" ;;
    esac
  done
}
cd "$ROOT"
# Of two concurrent runs, the second waits and finds the work done.
(flock 9 && main "$@") 9>"$BUILD/images.lock"
