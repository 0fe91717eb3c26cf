# Copyright (c) 2026, the selfhost.langgraph authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Passwords rotate under load without a refused login; old ones are invalid once their last revision has ended."""

from __future__ import annotations

import concurrent.futures
import datetime
import itertools
import json
import os
import subprocess
import threading
import time
import typing as t

import pytest
from killing import killed_at

from ansible_collections.selfhost.langgraph.plugins.module_utils._common.failpoints import FAILPOINTS

NAME, PORT = "research-agent", 8124
DATABASE = "research_agent"
# The maximum time in seconds from the end of the last drain until both services refuse the old password.
REFUSED_WITHIN = 5
# Short streams, so that the test does not wait long; SELFHOST_LANGGRAPH_LONG=true uses streams of up to three minutes.
STREAMS = [5, 10, 15, 20, 30] * 4
LONG_STREAMS = [5, 20, 60, 120, 170] * 4
LONG = bool(os.environ.get("SELFHOST_LANGGRAPH_LONG"))
# More workers than runs and streams: none of them waits in the queue.
MANY_JOBS = {"n_jobs_per_worker": 40}

generations = itertools.count(2)


@pytest.fixture
def agent(group_vars: dict[str, t.Any]) -> t.Callable[..., list[dict[str, t.Any]]]:
    """Return the list with changes to the deployment with derived passwords."""

    def changed(**options: t.Any) -> list[dict[str, t.Any]]:
        return [
            {**item, **MANY_JOBS, "memory": "2g", **(options if item["name"] == NAME else {})}
            if item["name"] == NAME
            else item
            for item in group_vars["langgraph_deployments"]
        ]

    return changed


class Crowd:
    """Many concurrent clients of one revision, directly at its container, so that its pools must grow."""

    CLIENTS = 40

    def __init__(self, test_host: t.Any, number: int) -> None:
        slot = json.loads(test_host.host.check_output(f"cat /etc/langgraph/{NAME}/revisions/{number}/slot.json"))
        self.url, self.test_host = f"http://{slot['address']}:{slot['port']}", test_host
        self.over, self.failures, self.asked, self.most = threading.Event(), [], 0, 0

    def sessions(self) -> int:
        """Return the number of connections to the database, of all its logins."""
        return int(
            self.test_host.sql("postgres", f"SELECT count(*) FROM pg_stat_activity WHERE datname = '{DATABASE}'")
        )

    def ask(self) -> None:
        """Send requests from all clients for some seconds."""
        code = f"""
import concurrent.futures, http.client, json, time
def ask(_number):
    begin, done = time.monotonic(), 0
    while time.monotonic() - begin < 6:
        connection = http.client.HTTPConnection({self.url.split("//")[1]!r}, timeout=30)
        connection.request("POST", "/threads/search", json.dumps({{"limit": 50}}), {{"Content-Type": "application/json"}})
        assert connection.getresponse().status == 200
        done += 1
    return done
with concurrent.futures.ThreadPoolExecutor({self.CLIENTS}) as pool:
    print(sum(pool.map(ask, range({self.CLIENTS}))))
"""
        command = [*self.test_host._in_network(), "-c", code]
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            done = pool.submit(subprocess.run, command, capture_output=True, text=True, check=False)
            while not done.done():
                self.most = max(self.most, self.sessions())
                time.sleep(0.3)
        assert done.result().returncode == 0, done.result().stderr
        self.asked = int(done.result().stdout)


def drain_of(test_host: t.Any, number: int) -> dict[str, t.Any]:
    """Return the report of a revision's drain."""
    return json.loads(test_host.host.check_output(f"cat /etc/langgraph/{NAME}/revisions/{number}/drain.json"))


def valid_credentials(test_host: t.Any) -> tuple[list[str], int]:
    """Return the enabled logins in Postgres, and the number of users in Redis."""
    logins = (
        f"SELECT rolname FROM pg_authid WHERE rolname LIKE '{DATABASE}%' AND rolcanlogin AND rolpassword IS NOT NULL"
    )
    users = [user for user in test_host.redis("ACL", "USERS").split() if user in (NAME, f"{NAME}.b")]
    return test_host.sql("postgres", logins).split(), len(users)


def plant_session(test_host: t.Any, credentials: str, name: str) -> None:
    """Open a session in Redis with these credentials, and keep it open."""
    uri = next(line for line in credentials.splitlines() if line.startswith("REDIS_URI=")).partition("=")[2]
    script = f"(echo CLIENT SETNAME {name}; sleep 900) | redis-cli --no-auth-warning -u '{uri}'"
    subprocess.run(["docker", "exec", "--detach", test_host.name, "sh", "-c", script], check=True)
    assert test_host.wait_until(lambda: f"name={name}" in test_host.redis("CLIENT", "LIST"), 10)


@pytest.mark.essential
@pytest.mark.release("trixie")
def test_rotation_under_load(test_host, agent, roll, tmp_path):
    roll(agent())
    test_host.drained(NAME, 240)
    before, old = test_host.settings(NAME)["serving"], test_host.credentials(NAME)
    generation = next(generations)
    plant_session(test_host, old, "early")
    streams = ",".join(str(seconds + number / 10) for number, seconds in enumerate(LONG_STREAMS if LONG else STREAMS))
    options = ["--rate", "60", "--streams", streams, "--runs", "10", "--run-seconds", "60" if LONG else "20"]
    done: dict[str, t.Any] = {}
    with test_host.load(tmp_path, PORT, *options) as load, test_host.logins(old, 600) as refused:
        time.sleep(5)
        load.mark("during").touch()
        rotation = threading.Thread(
            target=lambda: done.update(
                play=test_host.rotate(NAME, langgraph_deployments=agent(password_generation=generation))
            )
        )
        rotation.start()
        switched = test_host.wait_until(lambda: test_host.settings(NAME)["serving"] != before or "play" in done, 120)
        assert switched, "no switch after 120 s"
        assert test_host.settings(NAME)["serving"] != before, done["play"].stdout
        # Somebody else has the old password, too, and is younger than the new revision.
        plant_session(test_host, old, "late")
        # The old revision drains; its pool must still be able to open connections with its own login.
        crowd = Crowd(test_host, before)
        at_first = crowd.sessions()
        crowd.ask()
        rotation.join()
        load.mark("after").touch()
        time.sleep(5)
    assert done["play"].returncode == 0, done["play"].stdout
    print("connections before", at_first, "at most", crowd.most, "requests of the crowd", crowd.asked)
    print({name: figures["count"] for name, figures in load.report["phases"].items()}, load.report["streams"])
    test_host.nothing_lost(load)
    assert crowd.most > at_first
    drain = drain_of(test_host, before)
    assert (drain["sessions_cut"], drain["runs"].get("lost", [])) == (0, [])
    ended = datetime.datetime.fromisoformat(drain["ended"]).timestamp()
    late = {name: moment and round(moment - ended, 1) for name, moment in refused.items()}
    print("refused after the end of the drain", late)
    # The drain's record has no fractional seconds.
    assert all(moment is not None and -1 < moment <= REFUSED_WITHIN + 1 for moment in late.values())
    assert test_host.settings(NAME)["serving"] == before + 1
    assert None in test_host.refused(test_host.credentials(NAME)).values()
    logins, passwords = valid_credentials(test_host)
    assert (len(logins), passwords) == (1, 1)
    listed = test_host.redis("CLIENT", "LIST")
    assert not {"name=early", "name=late"} & set(listed.split())


@pytest.mark.release("trixie")
def test_a_rollback_over_a_rotation(test_host, agent, roll):
    roll(agent(env={"STEP": "first"}))
    first = test_host.settings(NAME)["serving"]
    roll(agent(env={"STEP": "second"}), langgraph_wait_for_drain=True)
    done = test_host.rotate(
        NAME, langgraph_deployments=agent(env={"STEP": "third"}, password_generation=next(generations))
    )
    assert done.returncode == 0, done.stdout
    # Only the passwords change: the variable is that of the previous revision.
    assert "STEP=second" in test_host.host.check_output(f"docker exec langgraph-{test_host.instance(NAME)} env")
    back = test_host.rollback(NAME, revision=first)
    assert back.returncode == 0, back.stdout
    assert test_host.settings(NAME)["serving"] == first
    answer = test_host.client("run", f"http://127.0.0.1:{PORT}")[f"http://127.0.0.1:{PORT}"]
    assert (answer["text"], answer["background"]) == ("HELLO", "success")


@pytest.mark.release("bookworm")
@pytest.mark.parametrize("stage", FAILPOINTS)
def test_a_rotation_that_is_killed_is_finished_by_the_next(test_host, agent, roll, tmp_path, stage):
    roll(agent())
    test_host.drained(NAME, 240)
    old, wanted = test_host.credentials(NAME), agent(password_generation=next(generations))
    with test_host.load(tmp_path, PORT, "--rate", "50", "--streams", "5", "--runs", "0") as load:
        with killed_at(stage):
            killed = test_host.rotate(NAME, langgraph_deployments=wanted)
        assert killed.returncode != 0, killed.stdout
        # No running revision has lost its password.
        assert set(test_host.refused(old).values()) == {None}
        done = test_host.rotate(NAME, langgraph_deployments=wanted)
        assert done.returncode == 0, done.stdout
    assert (load.failed, load.report["streams"]["cut"]) == (0, 0), load.errors
    assert None not in test_host.refused(old).values()
    logins, passwords = valid_credentials(test_host)
    assert (len(logins), passwords) == (1, 1)
    assert "nothing to rotate" in test_host.rotate(NAME, langgraph_deployments=wanted).stdout


@pytest.mark.release("bookworm")
def test_another_secret_key(test_host, agent, roll):
    """Change all passwords with site: draining revisions are reported, and the next run revokes their passwords."""
    roll(agent())
    test_host.drained(NAME, 240)
    old = test_host.credentials(NAME)
    keys = {"langgraph_secret_key": "PLANTED-another-secret-key-0123456789abcdef"}
    first = {**keys, "langgraph_previous_secret_key": "PLANTED-secret-key-of-the-test-hosts-0123456789"}
    done = test_host.play(langgraph_deployments=agent(), **first)
    assert done.returncode == 0, done.stdout
    assert f"{NAME}: the previous password stays valid until revision" in done.stdout
    assert set(test_host.refused(old).values()) == {None}
    test_host.drained(NAME, 240)
    again = test_host.play(langgraph_deployments=agent(), **keys)
    assert again.returncode == 0, again.stdout
    assert None not in test_host.refused(old).values()
    assert valid_credentials(test_host)[1] == 1
    # Restore the key of the other tests.
    back = {"langgraph_previous_secret_key": keys["langgraph_secret_key"]}
    # In one run: the claims that it has adopted are revoked in the same run.
    rotated = test_host.rotate(NAME, langgraph_deployments=agent(), **back)
    assert rotated.returncode == 0, rotated.stdout
    assert test_host.play(langgraph_deployments=agent(), **back).returncode == 0
