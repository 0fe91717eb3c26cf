# Copyright (c) 2026, the selfhost.langgraph authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The collection on a host with an existing shop: after each step the shop is unchanged, byte by byte. The order matters."""

from __future__ import annotations

import json
import re
import subprocess

import pytest
from neighbour import differences

from playbooks import PROJECT

pytestmark = pytest.mark.essential
BOTH = ("support-bot", "research-agent")


def changed(output: str) -> int:
    """Return the number of changed tasks of a run."""
    return sum(map(int, re.findall(r"changed=(\d+)", output)))


def refusals(output: str) -> list[str]:
    """Return the messages of failed tasks."""
    return re.findall(r"(?m)^(?:fatal: .*|\[ERROR\]: Task failed: .*)$", output)


def paths(files: str) -> list[list[str]]:
    """Return path, kind, mode and owner of files, without fields that change with their content."""
    return [line.split()[:4] for line in files.splitlines() if line.startswith("/")]


def test_the_shop_is_as_it_should_be(test_host, shop):
    """Check saved and unsaved data, all kinds of logins, and sessions; otherwise the other tests would prove nothing."""
    assert shop["logins of Redis"].split("\n")[:3] == ["PONG", "open", "NOAUTH Authentication required."]
    assert shop["logins of Postgres"].split()[:4] == ["750750.0", "750750.0", "1000", "t"]
    assert 'failed for user "shop"' in shop["logins of Postgres"]
    assert int(test_host.host.check_output("stat -c %s /var/lib/redis/dump.rdb")) < 200
    assert "rdb_changes_since_last_save:6" in shop["now: Redis"]
    assert len(shop["now: sessions of Postgres"].splitlines()) == 2
    seen = json.loads(shop["now: till"])
    assert (set(seen["opened"].values()), seen["broken"], seen["ports"]) == ({1}, [], 2768)
    assert "/var/lib/docker/shop " in shop["engine"]
    assert shop["from another machine, 8080"] == shop["from another machine, 8088"] == "apples and pears\n"
    assert ("docker-ce 5:" in shop["packages"]) == (test_host.release == "bookworm")
    assert "exit 1" not in shop["table of nftables"]


def test_a_change_would_be_seen(test_host, shop):
    """Change each service of the shop, and restore it afterwards."""
    redis = "REDISCLI_AUTH=shop-secret redis-cli"
    test_host.host.check_output(f"{redis} CONFIG SET timeout 999 && {redis} CONFIG SET timeout 0")
    test_host.host.check_output("chmod 0644 /etc/haproxy/haproxy.cfg && systemctl reload haproxy")
    test_host.host.check_output("runuser -u postgres -- psql -qc 'COMMENT ON DATABASE shop IS NULL'")
    try:
        found = {part for part, text in test_host.look().items() if text != shop[part]}
        assert found >= {
            "now: commands of Redis",
            "files of HAProxy",
            "now: workers of HAProxy",
            "contents of Postgres",
        }
    finally:
        test_host.host.check_output(
            "runuser -u postgres -- psql -qc \"COMMENT ON DATABASE shop IS 'orders since 2019'\""
        )
        test_host.host.check_output("systemctl restart shop-till")
        assert test_host.wait_until(test_host.till_is_open, 30)
        # This is the reference state from now on.
        shop.update(test_host.look())


@pytest.mark.usefixtures("untouched")
def test_what_is_taken_is_refused_by_name(test_host):
    """Each conflict is refused by one line, and nothing is on the host afterwards."""
    for missing in test_host.needed:
        options = {
            key: value for name, given in test_host.needed.items() if name != missing for key, value in given.items()
        }
        done = test_host.site(**options)
        assert done.returncode != 0, done.stdout
        assert missing in "".join(refusals(done.stdout)), done.stdout
        assert changed(done.stdout) == 0, done.stdout
        assert test_host.left() == []


@pytest.mark.usefixtures("untouched")
def test_a_dry_run_ends_well(test_host):
    """It reports what would be created and installed, and installs nothing."""
    done = test_host.site("--check", **test_host.options)
    assert done.returncode == 0, done.stdout
    text = " ".join(done.stdout.split())
    assert "support-bot, research-agent would be created" in text
    assert "would be installed" in text
    assert test_host.left() == []


def test_deployments_move_in(test_host, shop):
    """The engine's file gets the one documented option, if it did not have it."""
    daemon = json.loads(test_host.host.check_output("cat /etc/docker/daemon.json"))
    done = test_host.site(**test_host.options)
    assert done.returncode == 0, done.stdout
    test_host.healthy(*BOTH)
    now = test_host.look()
    if test_host.release == "bookworm":
        assert json.loads(test_host.host.check_output("cat /etc/docker/daemon.json")) == {
            **daemon,
            "live-restore": True,
        }
        assert paths(now["files of Docker"]) == paths(shop["files of Docker"])
        assert now["live restore"] == "true\n"
        shop |= {part: now[part] for part in ("files of Docker", "live restore")}
    assert differences(shop, now) == ""


def test_a_second_run_changes_nothing_beside_a_newer_postgres(test_host, shop):
    """Install a newer Postgres, like an upgrade of the distribution: the deployments' cluster stays unchanged."""
    test_host.host.check_output("/opt/shop/newer_postgres.sh")
    shop.update(test_host.look())
    before = (test_host.clusters(), test_host.server())
    assert sorted(name.split()[1] for name in before[0]) == ["langgraph", "main"]
    done = test_host.site(**test_host.options)
    assert (done.returncode, changed(done.stdout)) == (0, 0), done.stdout
    assert (test_host.clusters(), test_host.server()) == before
    assert differences(shop, test_host.look()) == ""


def test_their_administrators_are_not_ours(test_host):
    """They have no access by login or through the files; root has, with the same commands."""
    (cluster,) = test_host.host.check_output("ls -d /var/lib/postgresql/*/langgraph").split()
    port = test_host.options.get("postgres_port", 5432)
    ways = {
        "postgres": [
            f"psql -h /run/langgraph-postgres -p {port} -d postgres -c 'SELECT 1'",
            f"cat {cluster}/PG_VERSION",
        ],
        "redis": ["redis-cli -e -s /run/langgraph-redis/redis.sock PING", "ls /var/lib/langgraph-redis"],
    }
    for user, commands in ways.items():
        for command in commands:
            assert test_host.host.run(f"runuser -u {user} -- {command}").failed, command
    assert test_host.host.check_output(f"runuser -u langgraph-postgres -- {ways['postgres'][0]}")
    refused = test_host.host.run(ways["redis"][0])
    assert "NOAUTH" in refused.stdout + refused.stderr
    assert test_host.host.check_output(f"cat {cluster}/PG_VERSION; ls /var/lib/langgraph-redis")


@pytest.mark.usefixtures("untouched")
def test_an_upgrade(test_host):
    """One deployment gets a new revision; the container of the other is not changed."""
    other = test_host.container("research-agent")
    wanted = [
        {**item, "env": {"GREETING": "good day"}} if item["name"] == "support-bot" else item
        for item in test_host.deployments
    ]
    done = test_host.site(**test_host.options, langgraph_deployments=wanted)
    assert done.returncode == 0, done.stdout
    assert test_host.settings("support-bot")["serving"] == 2
    assert test_host.container("research-agent") == other
    test_host.healthy(*BOTH)


@pytest.mark.usefixtures("untouched")
def test_a_removal(test_host):
    """Remove it with its data; its claims are released, and the shop's data is not affected."""
    wanted = [item for item in test_host.deployments if item["name"] != "support-bot"]
    gone = [*wanted, {"name": "support-bot", "state": "stopped", "image": "demo-agent:1", "port": 8123}]
    done = test_host.site(**test_host.options, langgraph_deployments=gone)
    assert done.returncode == 0, done.stdout
    done = test_host.remove("support-bot", **test_host.options, confirm="support-bot", langgraph_deployments=wanted)
    assert done.returncode == 0, done.stdout
    test_host.healthy("research-agent")


def test_a_reboot_brings_both_back(test_host, shop):
    subprocess.run([PROJECT / "tests/tools/hosts.py", "reboot", test_host.name], check=True, capture_output=True)
    test_host.healthy("research-agent")
    assert test_host.wait_until(test_host.till_is_open)
    lasting = {part: text for part, text in shop.items() if not part.startswith("now:")}
    assert differences(lasting, test_host.look()) == ""
