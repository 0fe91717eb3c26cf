#!/usr/bin/env bash
# Copyright (c) 2026, the selfhost.langgraph authors
# SPDX-License-Identifier: GPL-3.0-or-later
# Set up a shop on a bare test host that uses Redis, Postgres, Docker, HAProxy and nftables with its own settings.
# It is independent of the collection. Run once, on the host, from the directory of this script.
set -euo pipefail
cd "$(dirname "$0")"
release=$(. /etc/os-release && echo "$VERSION_CODENAME")
export DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8
ARCHIVES=/var/cache/apt/archives

install_packages() { apt-get install -q -y --no-install-recommends "$@"; }

# On one release Redis listens on all addresses, on the other Postgres: their ports are taken on every gateway.
# On the other release the engine's network overlaps with Docker's default and with the collection's.
case $release in
  bookworm) redis_bind='* -::*' postgres_listen=localhost network=172.30.0.0/16 log_driver=journald engine=docker_ce live_restore= ;;
  *) redis_bind='127.0.0.1 -::1' postgres_listen='*' network=172.29.0.0/16 log_driver=local engine=docker_io live_restore='"live-restore": true,' ;;
esac

# An imitation of the packages of download.docker.com, from the distribution's binaries: installing docker.io would remove it.
look_alike() { # package, fields of its control file; its files are in built/PACKAGE
  mkdir -p "built/$1/DEBIAN"
  printf 'Package: %s\nVersion: 5:28.5.2-1~debian.12~bookworm\nArchitecture: amd64\nMaintainer: Docker <support@docker.com>\n%s\n' \
    "$1" "$2
Description: what looks like $1" >"built/$1/DEBIAN/control"
  dpkg-deb --build -Znone "built/$1" "built/$1.deb"
}
docker_ce() {
  mkdir -p built/docker-ce/DEBIAN built/docker-ce-cli/usr/bin built/containerd.io
  dpkg-deb -x "$ARCHIVES"/docker.io_*.deb built/docker-ce
  dpkg-deb -x "$ARCHIVES"/containerd_*.deb built/containerd.io
  dpkg-deb -x "$ARCHIVES"/runc_*.deb built/containerd.io
  mv built/docker-ce/usr/bin/docker built/docker-ce-cli/usr/bin/
  rm -rf built/*/usr/share
  cat >built/docker-ce/DEBIAN/postinst <<'POSTINST'
#!/bin/sh
set -e
getent group docker >/dev/null || groupadd --system docker
systemctl daemon-reload
systemctl enable --now containerd.service docker.service
POSTINST
  chmod 0755 built/docker-ce/DEBIAN/postinst
  look_alike containerd.io $'Provides: containerd, runc\nConflicts: containerd, runc\nReplaces: containerd, runc'
  look_alike docker-ce-cli $'Conflicts: docker (<< 1.5~)'
  look_alike docker-ce $'Depends: containerd.io, docker-ce-cli, iptables, tini\nConflicts: docker (<< 1.5~), docker-engine, docker.io\nReplaces: docker-engine'
  install_packages ./built/*.deb
  rm -r built
}
docker_io() { install_packages docker.io docker-cli iptables; }

firewall() { # at boot it flushes all rules, so it comes before the engine
  install_packages nftables
  install -m 0755 nftables.conf /etc/nftables.conf
  systemctl enable --now nftables.service
}

redis() {
  install_packages redis-server
  sed -i -E "s/^bind .*/bind $redis_bind/; s/^databases .*/databases 32/" /etc/redis/redis.conf
  cat redis.conf >>/etc/redis/redis.conf
  systemctl restart redis-server.service
  export REDISCLI_AUTH=shop-secret
  # The dump on the disk has about 100 bytes. The following data is only in memory.
  redis-cli SET order:1 paid
  redis-cli SAVE
  redis-cli MSET order:2 open cart:7 apples cart:8 pears
  redis-cli SET session:9 known EXAT 4102444800
  redis-cli -n 3 HSET stock apples 3 pears 4
}

postgres() {
  install_packages postgresql
  local etc
  etc=$(echo /etc/postgresql/*/main)
  sed "s/LISTEN/$postgres_listen/" postgres.conf >"$etc/conf.d/shop.conf"
  install -o postgres -g postgres -m 0640 pg_hba.conf "$etc/pg_hba.conf"
  systemctl restart "postgresql@$(basename "$(dirname "$etc")")-main.service"
  runuser -u postgres -- psql -qX -v ON_ERROR_STOP=1 <shop.sql
}

web() { # an image without a registry, in a network as compose makes them, behind the shop's HAProxy
  local python
  python=$(python3 -c 'import sys; print("%d.%d" % sys.version_info[:2])')
  tar -C / -ch --exclude='*.pyc' --exclude='*/test' usr/bin/python3 "usr/lib/python$python" lib64 \
    $(ldd /usr/bin/python3 | grep -o '/lib/[^ ]*' | sed 's|^/||') | docker import - shop-web
  docker network create --label com.docker.compose.project=shop --subnet "$network" shop_default
  docker volume create shop_files
  docker run --detach --name shop-web-1 --network shop_default --publish 8088:80 --restart always --volume shop_files:/files \
    shop-web /usr/bin/python3 -m http.server -p HTTP/1.1 -d /files 80
  docker exec shop-web-1 /usr/bin/python3 -c 'open("/files/index.html", "w").write("apples and pears\n")'
  install_packages haproxy
  install -m 0644 haproxy.cfg /etc/haproxy/haproxy.cfg
  systemctl restart haproxy.service
}

till() {
  install -m 0644 shop-till.service /etc/systemd/system/shop-till.service
  systemctl daemon-reload
  systemctl enable --now shop-till.service
}

apt-get update -q
useradd --system clerk
mkdir -p /etc/docker
sed "s/LOG_DRIVER/$log_driver/; s/LIVE_RESTORE/$live_restore/" daemon.json.in >/etc/docker/daemon.json
firewall
"$engine"
redis
postgres
web
till
dpkg-query -W -f '${Package}\n' >packages
