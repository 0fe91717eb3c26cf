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


def test_the_shop_is_as_it_should_be(world, shop):
    """Check saved and unsaved data, all kinds of logins, and sessions; otherwise the other tests would prove nothing."""
    assert shop["logins of Redis"].split("\n")[:3] == ["PONG", "open", "NOAUTH Authentication required."]
    assert shop["logins of Postgres"].split()[:4] == ["750750.0", "750750.0", "1000", "t"]
    assert 'failed for user "shop"' in shop["logins of Postgres"]
    assert int(world.host.check_output("stat -c %s /var/lib/redis/dump.rdb")) < 200
    assert "rdb_changes_since_last_save:6" in shop["now: Redis"]
    assert len(shop["now: sessions of Postgres"].splitlines()) == 2
    seen = json.loads(shop["now: till"])
    assert (set(seen["opened"].values()), seen["broken"], seen["ports"]) == ({1}, [], 2768)
    assert "/var/lib/docker/shop " in shop["engine"]
    assert shop["from another machine, 8080"] == shop["from another machine, 8088"] == "apples and pears\n"
    assert ("docker-ce 5:" in shop["packages"]) == (world.release == "bookworm")
    assert "exit 1" not in shop["table of nftables"]


def test_a_change_would_be_seen(world, shop):
    """Change each service of the shop, and restore it afterwards."""
    redis = "REDISCLI_AUTH=shop-secret redis-cli"
    world.host.check_output(f"{redis} CONFIG SET timeout 999 && {redis} CONFIG SET timeout 0")
    world.host.check_output("chmod 0644 /etc/haproxy/haproxy.cfg && systemctl reload haproxy")
    world.host.check_output("runuser -u postgres -- psql -qc 'COMMENT ON DATABASE shop IS NULL'")
    try:
        found = {part for part, text in world.look().items() if text != shop[part]}
        assert found >= {
            "now: commands of Redis",
            "files of HAProxy",
            "now: workers of HAProxy",
            "contents of Postgres",
        }
    finally:
        world.host.check_output("runuser -u postgres -- psql -qc \"COMMENT ON DATABASE shop IS 'orders since 2019'\"")
        world.host.check_output("systemctl restart shop-till")
        assert world.wait_until(world.till_is_open, 30)
        # This is the reference state from now on.
        shop.update(world.look())


@pytest.mark.usefixtures("untouched")
def test_what_is_taken_is_refused_by_name(world):
    """Each conflict is refused by one line, and nothing is on the host afterwards."""
    for missing in world.needed:
        options = {
            key: value for name, given in world.needed.items() if name != missing for key, value in given.items()
        }
        done = world.site(**options)
        assert done.returncode != 0, done.stdout
        assert missing in "".join(refusals(done.stdout)), done.stdout
        assert changed(done.stdout) == 0, done.stdout
        assert world.left() == []


@pytest.mark.usefixtures("untouched")
def test_a_dry_run_ends_well(world):
    """It reports what would be created and installed, and installs nothing."""
    done = world.site("--check", **world.options)
    assert done.returncode == 0, done.stdout
    text = " ".join(done.stdout.split())
    assert "support-bot, research-agent would be created" in text
    assert "would be installed" in text
    assert world.left() == []


def test_deployments_move_in(world, shop):
    """The engine's file gets the one documented option, if it did not have it."""
    daemon = json.loads(world.host.check_output("cat /etc/docker/daemon.json"))
    done = world.site(**world.options)
    assert done.returncode == 0, done.stdout
    world.healthy(*BOTH)
    now = world.look()
    if world.release == "bookworm":
        assert json.loads(world.host.check_output("cat /etc/docker/daemon.json")) == {**daemon, "live-restore": True}
        assert paths(now["files of Docker"]) == paths(shop["files of Docker"])
        assert now["live restore"] == "true\n"
        shop |= {part: now[part] for part in ("files of Docker", "live restore")}
    assert differences(shop, now) == ""


def test_a_second_run_changes_nothing_beside_a_newer_postgres(world, shop):
    """Install a newer Postgres, like an upgrade of the distribution: the deployments' cluster stays unchanged."""
    world.host.check_output("/opt/shop/newer_postgres.sh")
    shop.update(world.look())
    before = (world.clusters(), world.server())
    assert sorted(name.split()[1] for name in before[0]) == ["langgraph", "main"]
    done = world.site(**world.options)
    assert (done.returncode, changed(done.stdout)) == (0, 0), done.stdout
    assert (world.clusters(), world.server()) == before
    assert differences(shop, world.look()) == ""


def test_their_administrators_are_not_ours(world):
    """They have no access by login or through the files; root has, with the same commands."""
    (cluster,) = world.host.check_output("ls -d /var/lib/postgresql/*/langgraph").split()
    port = world.options.get("postgres_port", 5432)
    ways = {
        "postgres": [
            f"psql -h /run/langgraph-postgres -p {port} -d postgres -c 'SELECT 1'",
            f"cat {cluster}/PG_VERSION",
        ],
        "redis": ["redis-cli -e -s /run/langgraph-redis/redis.sock PING", "ls /var/lib/langgraph-redis"],
    }
    for user, commands in ways.items():
        for command in commands:
            assert world.host.run(f"runuser -u {user} -- {command}").failed, command
    assert world.host.check_output(f"runuser -u langgraph-postgres -- {ways['postgres'][0]}")
    refused = world.host.run(ways["redis"][0])
    assert "NOAUTH" in refused.stdout + refused.stderr
    assert world.host.check_output(f"cat {cluster}/PG_VERSION; ls /var/lib/langgraph-redis")


@pytest.mark.usefixtures("untouched")
def test_an_upgrade(world):
    """One deployment gets a new revision; the container of the other is not changed."""
    other = world.container("research-agent")
    wanted = [
        {**item, "env": {"GREETING": "good day"}} if item["name"] == "support-bot" else item
        for item in world.deployments
    ]
    done = world.site(**world.options, langgraph_deployments=wanted)
    assert done.returncode == 0, done.stdout
    assert world.settings("support-bot")["serving"] == 2
    assert world.container("research-agent") == other
    world.healthy(*BOTH)


@pytest.mark.usefixtures("untouched")
def test_a_removal(world):
    """Remove it with its data; its claims are released, and the shop's data is not affected."""
    wanted = [item for item in world.deployments if item["name"] != "support-bot"]
    gone = [*wanted, {"name": "support-bot", "state": "absent", "image": "demo-agent:1", "port": 8123}]
    done = world.site(**world.options, langgraph_deployments=gone)
    assert done.returncode == 0, done.stdout
    done = world.remove("support-bot", **world.options, confirm="support-bot", langgraph_deployments=wanted)
    assert done.returncode == 0, done.stdout
    world.healthy("research-agent")


def test_a_reboot_brings_both_back(world, shop):
    subprocess.run([PROJECT / "tests/tools/host.sh", "reboot", world.name], check=True, capture_output=True)
    world.healthy("research-agent")
    assert world.wait_until(world.till_is_open)
    lasting = {part: text for part, text in shop.items() if not part.startswith("now:")}
    assert differences(lasting, world.look()) == ""
