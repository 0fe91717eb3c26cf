# Copyright (c) 2026, the selfhost.langgraph authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Each deployment's data is only in its own databases, checked from outside."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.essential


@pytest.fixture(scope="module")
def driven():
    """Return a cache for the runs: filled once per host."""
    return {}


@pytest.fixture
def runs(test_host, deployments, driven):
    """Start one run with a resumable stream on each deployment; return thread, run and text by name."""
    if test_host.name not in driven:
        urls = {f"http://127.0.0.1:{options['port']}": name for name, options in deployments.items()}
        driven[test_host.name] = {urls[url]: answer for url, answer in test_host.client("run", *urls).items()}
    return driven[test_host.name]


def test_the_servers_answer(runs, deployments):
    assert {name: answer["text"] for name, answer in runs.items()} == dict.fromkeys(deployments, "HELLO")


def test_background_runs_end_well(runs, deployments):
    assert {name: answer["background"] for name, answer in runs.items()} == dict.fromkeys(deployments, "success")


def test_no_server_misses_a_right(test_host, runs):
    for name in runs:
        log = test_host.host.check_output(f"journalctl --no-pager --output cat --unit 'langgraph@{name}.*'")
        # The server logs its address; without a line of the server the other checks would prove nothing.
        assert "Uvicorn running on" in log, log[-2000:]
        assert "Permission" not in log
        assert "permission" not in log
        assert "NOPERM" not in log


def test_rows_are_in_their_own_database(test_host, runs):
    for name, answer in runs.items():
        for other in runs:
            found = test_host.sql(
                test_host.database(other),
                f"SELECT (SELECT count(*) FROM threads WHERE thread_id = '{answer['thread']}'),"
                f" (SELECT count(*) FROM runs WHERE run_id = '{answer['run']}')",
            )
            assert found == ("1|1" if other == name else "0|0")


def test_keys_are_in_their_own_database_number(test_host, runs):
    numbers = test_host.numbers()
    assert len(set(numbers.values())) == len(numbers)
    used = {line.split(":")[0] for line in test_host.redis("INFO", "keyspace").splitlines() if line.startswith("db")}
    assert used <= {"db0", *(f"db{number}" for number in numbers.values())}
    for name, answer in runs.items():
        holders = {
            other
            for other, number in numbers.items()
            if answer["run"] in test_host.redis("-n", str(number), "--scan", "--pattern", f"'*{answer['run']}*'")
        }
        assert holders == {name}


def test_no_deployment_reads_or_forges_events_of_another(test_host, runs):
    """Use its own login, as its code could: channels are not separated by database number."""
    for name in runs:
        credentials = test_host.host.check_output(f"cat /etc/langgraph/{name}/credentials")
        uri = dict(line.partition("=")[::2] for line in credentials.splitlines())["REDIS_URI"]
        for other in [*(each for each in runs if each != name), "lg"]:
            for words in (f"PSUBSCRIBE '{other}:*'", "PSUBSCRIBE '*'", f"PUBLISH {other}:lg:run-fanout:t:r forged"):
                answer = test_host.host.run(f"redis-cli --no-auth-warning -u '{uri}' {words}")
                assert "NOPERM" in answer.stdout + answer.stderr, (name, words)
        own = test_host.host.run(f"redis-cli --no-auth-warning -u '{uri}' PUBLISH {name}:lg:run-fanout:t:r x")
        assert own.stdout.strip().isdigit(), own.stdout + own.stderr


def test_connections_use_their_own_database_number(test_host, runs):
    numbers = test_host.numbers()
    seen = {}
    for line in test_host.redis("CLIENT", "LIST").splitlines():
        fields = dict(word.partition("=")[::2] for word in line.split())
        seen.setdefault(fields["user"], set()).add(int(fields["db"]))
    for name in runs:
        assert seen[name] == {numbers[name]}


def test_postgres_clients_are_in_their_own_database(test_host, runs):
    rows = test_host.sql(
        "postgres",
        "SELECT DISTINCT usename, datname FROM pg_stat_activity"
        " WHERE backend_type = 'client backend' AND usename <> 'langgraph-postgres'",
    ).splitlines()
    assert set(rows) == {f"{test_host.database(name)}|{test_host.database(name)}" for name in runs}
