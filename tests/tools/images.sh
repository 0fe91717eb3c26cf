#!/usr/bin/env bash
# Copyright (c) 2026, the selfhost.langgraph authors
# SPDX-License-Identifier: GPL-3.0-or-later
# Test images: rootfs -> bare systemd hosts; rootfs -> substitute of the server's base image -> `langgraph build`.
# usage: images.sh [rootfs:RELEASE | host:RELEASE | servers:RELEASE | server | base | agent]...   RELEASE: bookworm, trixie
set -euo pipefail
. "$(dirname "$0")/lib.sh"
HOST_DIR=tests/images/host SERVER_DIR=tests/images/server APP_DIR=examples/single-host/app
SERVER_IMAGE=$PREFIX/langgraph-api AGENT_IMAGE=demo-agent:1
BASE_IMAGE=open-langgraph/langgraph-api   # not named after the project: `make demo-down` leaves it
SERVERS="redis-server postgresql pgbouncer"
# BuildKit's client, for builds with it; most machines with Docker have it, but Debian 12 has no package for it.
BUILDX=$BUILD/docker/cli-plugins/docker-buildx

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

rootfs() { # release
  local tar=$BUILD/images/rootfs-$1.tar sources
  sources=$(sources_for "$1")
  mmdebstrap --variant=minbase --include=python3,ca-certificates --aptopt='Acquire::Check-Valid-Until "false"' \
    --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/doc/*' \
    --dpkgopt='path-exclude=/usr/share/locale/*' "$1" "$tar" "$sources"
  docker import "$tar" "$PREFIX/rootfs:$1"
  rm -f "$tar"
}

host() { # release
  docker build --build-arg "RELEASE=$1" -t "$PREFIX/host:$1" "$HOST_DIR"
  [ "$1" = trixie ] || return 0
  mkdir -p "${BUILDX%/*}"
  docker run --rm --label "$LABEL" --entrypoint sh "$PREFIX/host:trixie" -c 'dpkg-deb --fsys-tarfile /var/cache/apt/archives/docker-buildx_*.deb' \
    | tar -xO ./usr/libexec/docker/cli-plugins/docker-buildx >"$BUILDX.new"
  chmod +x "$BUILDX.new"
  mv "$BUILDX.new" "$BUILDX"
}
host_exists() { have_image "$PREFIX/host:$1" && { [ "$1" != trixie ] || [ -x "$BUILDX" ]; }; }

# Redis and Postgres of a release as a directory for chroot: nothing is installed, or started, on this machine.
servers() { # release
  local directory=$BUILD/servers/$1 container valkey=valkey-server
  [ "$1" != bookworm ] || valkey= # the first release that has it is trixie
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
}

# The image that `langgraph build` takes as its base image, from wheels for its Python.
server() {
  local context=$BUILD/images/server wheels=$BUILD/wheels/server
  mkdir -p "$wheels"
  [ -e "$wheels"/forbiddenfruit-*.whl ] || "$VENV/bin/pip" wheel -q --use-pep517 --no-deps --wheel-dir "$wheels" \
    "$(grep ^forbiddenfruit requirements/server.txt)"   # has no wheel on PyPI
  "$VENV/bin/python" tests/tools/wheels.py 3.11 "$wheels" --no-deps -r requirements/server.txt
  rm -rf "$context" && cp -r "$SERVER_DIR" "$context"
  cp requirements/server.txt "$context/requirements.txt"
  cp -rl "$wheels" "$context/wheels"
  docker build --network=none -t "$SERVER_IMAGE:3.11" "$context"
  rm -rf "$context"
}

# The same image under a name that stays, for users without a licence.
base() { docker tag "$SERVER_IMAGE:3.11" "$BASE_IMAGE:3.11"; }

agent() { # what `langgraph build` makes of it
  (cd "$APP_DIR" && "$VENV/bin/langgraph" build -t "$AGENT_IMAGE" --no-pull --base-image "$SERVER_IMAGE" --network=none)
  docker save --output "$BUILD/images/demo-agent.tar.new" "$AGENT_IMAGE"
  mv "$BUILD/images/demo-agent.tar.new" "$BUILD/images/demo-agent.tar"
}
agent_exists() { have_image "$AGENT_IMAGE" && [ -s "$BUILD/images/demo-agent.tar" ]; }

have_image() { docker image inspect "$1" >/dev/null 2>&1; }
need() { # one of the words of the usage
  local release=${1#*:}
  case $1 in
    rootfs:*) make_once "rootfs-$release" "" "have_image $PREFIX/$1" "image $PREFIX/$1" rootfs "$release" ;;
    host:*)
      need "rootfs:$release"
      make_once "host-$release" "$(hash_of "$HOST_DIR")" "host_exists $release" "image $PREFIX/$1" host "$release" ;;
    servers:*)
      need "rootfs:$release"
      make_once "servers-$release" "$(hash_of "$SERVERS")" "test -d $BUILD/servers/$release/usr" "$1" servers "$release" ;;
    server)
      need rootfs:bookworm
      make_once server "$(hash_of "$SERVER_DIR" requirements/server.txt)" "have_image $SERVER_IMAGE:3.11" "image $SERVER_IMAGE" server ;;
    base)
      need server
      make_once base "$(hash_of "$SERVER_DIR" requirements/server.txt)" "have_image $BASE_IMAGE:3.11" "image $BASE_IMAGE" base ;;
    agent)
      need server
      make_once agent "$(hash_of "$SERVER_DIR" "$APP_DIR" requirements/server.txt)" agent_exists "image $AGENT_IMAGE" agent ;;
    *) die "unknown image $1" ;;
  esac
}

cd "$ROOT"
for image in "$@"; do need "$image"; done
