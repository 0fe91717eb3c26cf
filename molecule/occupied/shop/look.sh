#!/usr/bin/env bash
# Copyright (c) 2026, the selfhost.langgraph authors
# SPDX-License-Identifier: GPL-3.0-or-later
# Print the state of the shop as text that is identical, byte by byte, as long as nothing changes it. Run on the host.
# Parts that start with "now:" differ after a reboot; the others do not.
set -uo pipefail
cd "$(dirname "$0")"
export LC_ALL=C.UTF-8 REDISCLI_AUTH=shop-secret
UNITS=(redis-server.service postgresql.service "$(cd /etc/postgresql && echo postgresql@*/main | sed 's|/main|-main.service|')"
  docker.service docker.socket containerd.service haproxy.service nftables.service shop-till.service)

part() { # name, command
  printf '=== %s\n' "$1"
  "${@:2}" 2>&1 || echo "exit $?"
}
files() { # with the times of their content and of their mode
  find "$@" -printf '%p %y %M %u:%g %s %T@ %C@ %l\n' | sort
  find "$@" -type f -print0 | sort -z | xargs -0r sha256sum
}
contents() { find "$@" -type f -print0 | sort -z | xargs -0r sha256sum; }
units() { systemctl show --property "$1" "${UNITS[@]}"; }
workers() { ps -o pid=,lstart= --ppid "$(systemctl show --property MainPID --value haproxy.service)"; }

packages() { dpkg-query -W -f '${Package} ${Version} ${db:Status-Abbrev}\n' $(cat packages); }
marks() { apt-mark showmanual | grep -Fxf packages; }
owners() { stat -c '%n %U:%G %a' /etc/redis /etc/postgresql /var/lib/{redis,postgresql,postgresql/*/main} /var/log/{redis,postgresql} /run/{redis,postgresql}; }
people() {
  getent passwd root clerk redis postgres haproxy
  getent group root clerk redis postgres haproxy docker ssl-cert
}
sysctls() { sysctl -a 2>/dev/null | grep -E '^(vm\.(overcommit|swappiness)|net\.core\.somaxconn|net\.ipv4\.(ip_|tcp_(keepalive|fin|max_)))'; }
masked() { systemctl list-unit-files --state=masked --no-legend; ls -l /usr/sbin/policy-rc.d; }

redis_keys() {
  local number
  for number in 0 3; do
    redis-cli -n "$number" EVAL "local r = {} local k = redis.call('KEYS', '*') table.sort(k) for _, n in ipairs(k) do
      table.insert(r, n .. ' ' .. redis.sha1hex(redis.call('DUMP', n)) .. ' ' .. redis.call('PEXPIRETIME', n)) end return r" 0
  done
  redis-cli INFO keyspace | sed 's/,avg_ttl.*//'
}
redis_now() { redis-cli INFO everything | grep -E '^(run_id|process_id|tcp_port|executable|config_file|rdb_changes_since_last_save|rdb_last_save_time|aof_enabled|role|evicted_keys|maxmemory_policy):'; }
# Commands of other clients: the shop itself does not send these.
redis_commands() { redis-cli INFO commandstats | grep -oE '^cmdstat_(config.(set|rewrite)|flush(all|db)|acl.(setuser|deluser|save|load)|(bg)?save|bgrewriteaof|client.kill|swapdb|debug)[^,]*'; }
redis_logins() {
  redis-cli PING
  redis-cli --no-auth-warning --user till -a till-secret GET order:2
  env -u REDISCLI_AUTH redis-cli PING
}
redis_client() { redis-cli CLIENT LIST | grep -oE '^id=.* name=till' | sed -E 's/ fd=[0-9]+//'; }

as_postgres() { runuser -u postgres -- "$@"; }
sql() { as_postgres psql -qAtX -d postgres -c "$1"; }
postgres_dump() { as_postgres pg_dumpall | grep -vE '^\\(un)?restrict '; }
postgres_logins() {
  PGPASSWORD=shop-password psql -qAtX -h 127.0.0.1 -U shop -d shop -c 'SELECT sum(total) FROM orders'
  PGPASSWORD=shop-password psql -qAtX -U shop -d shop -c 'SELECT sum(total) FROM orders'
  runuser -u clerk -- psql -qAtX -d shop -c 'SELECT count(*) FROM orders'
  PGPASSWORD=exporter-password psql -qAtX -h 127.0.0.1 -U exporter -d postgres -c 'SELECT count(*) > 0 FROM pg_stat_database'
  PGPASSWORD=wrong psql -qAtX -h 127.0.0.1 -U shop -d shop -c 'SELECT 1'
}

container() { docker inspect --format "$1" shop-web-1; }
engine() {
  docker info --format '{{.DockerRootDir}} {{.LoggingDriver}} {{.Driver}} {{.CgroupDriver}} {{json .SecurityOptions}} {{json .RegistryConfig.Mirrors}} {{.ServerVersion}}'
  container '{{.Id}} {{.Image}} {{.State.Status}} {{json .HostConfig}} {{json .Mounts}}'
  # The engine creates its own bridge again at each start, and writes the gateway that it has chosen into each network.
  docker network inspect --format '{{.Name}} {{if ne .Name "bridge"}}{{.Id}}{{end}} {{range .IPAM.Config}}{{.Subnet}} {{end}}{{json .Options}}' \
    bridge shop_default
  docker volume ls --quiet --filter name=shop
}
bridge() { echo "br-$(docker network inspect --format '{{slice .Id 0 12}}' shop_default)"; }
engine_rules() {
  iptables -S FORWARD | head -n 1
  iptables -S DOCKER-USER
  iptables-save | grep -F "$(bridge)"
}
# Only the shop's ports, without those that a deployment's proxy may add.
listeners() { ss -Hltn '( sport = 6379 or sport = 5432 or sport = 8080 or sport = 8088 )' | awk '{print $4}' | grep -vE '^172\.(2[0-9]|31)\.' | sort; }
# In the order of processes.
redis_settings() { redis-cli CONFIG GET '*' | paste - - | sort; }
till() { python3 -c 'import json; seen = json.load(open("/run/shop/till.json")); del seen["asked"]; print(json.dumps(seen, indent=1))'; }

part "files of Redis" files /etc/redis
part "files of Postgres" files /etc/postgresql/*/main
part "files of postgresql-common" contents /etc/postgresql-common
part "files of Docker" files /etc/docker
part "files of HAProxy" files /etc/haproxy
part "files of /etc/default" files /etc/default
part "files of nftables" files /etc/nftables.conf
part "postgresql.auto.conf" contents /var/lib/postgresql/*/main/postgresql.auto.conf
part "owners of directories" owners
part "packages" packages
part "packages that somebody asked for" marks
part "users and groups" people
part "kernel settings" sysctls
part "masked units" masked
part "units" units Id,ActiveState,SubState,UnitFileState,FragmentPath,DropInPaths
part "definitions of units" systemctl cat "${UNITS[@]}"
part "listeners" listeners
part "keys of Redis" redis_keys
part "settings of Redis" redis_settings
part "users of Redis" redis-cli ACL LIST
part "logins of Redis" redis_logins
part "now: Redis" redis_now
part "now: commands of Redis" redis_commands
part "now: dump of Redis" files /var/lib/redis
part "now: client of Redis" redis_client
part "contents of Postgres" postgres_dump
part "settings of Postgres" sql 'SELECT name, setting, source, sourcefile, pending_restart FROM pg_settings ORDER BY 1'
part "rules of Postgres" sql 'SELECT line_number, type, database, user_name, address, auth_method, error FROM pg_hba_file_rules ORDER BY 1'
part "logins of Postgres" postgres_logins
part "now: Postgres" sql 'SELECT pg_postmaster_start_time(), pg_conf_load_time()'
part "now: sessions of Postgres" sql "SELECT pid, usename, backend_start FROM pg_stat_activity WHERE application_name = 'till' ORDER BY 1"
part "engine" engine
part "live restore" docker info --format "{{.LiveRestoreEnabled}}"
part "rules of the engine" engine_rules
part "table of nftables" nft list table inet shop
part "now: container" container '{{.State.Pid}} {{.State.StartedAt}} {{.RestartCount}} {{json .NetworkSettings.Networks}}'
part "now: units" units Id,MainPID,ExecMainStartTimestampMonotonic,NRestarts,InvocationID
part "now: workers of HAProxy" workers
part "now: till" till
