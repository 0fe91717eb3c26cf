# Copyright (c) 2026, the selfhost.langgraph authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The deployments' cluster: killed runs, refused settings, and a separate existing cluster."""

from __future__ import annotations

import functools
import re
import subprocess

import pytest
from killing import killed_after_each_change


@pytest.fixture
def postgres(role):
    """Return a function that applies only this role to this host."""
    return functools.partial(role, "postgres")


@pytest.fixture(autouse=True)
def as_it_was(postgres):
    """Apply the role after each test, to restore its defaults."""
    yield
    done = postgres({})
    assert done.returncode == 0, done.stdout + done.stderr


def started(test_host) -> str:
    return test_host.sql("postgres", "SELECT pg_postmaster_start_time()")


def version(test_host) -> str:
    return test_host.sql("postgres", "SHOW server_version").partition(".")[0]


def refused(done: subprocess.CompletedProcess[str], line: str) -> None:
    """Check that the role is refused in one line, before anything changes."""
    assert done.returncode != 0, done.stdout
    assert "changed=0 " in done.stdout, done.stdout
    assert line in " ".join((done.stdout + done.stderr).split())


@pytest.mark.essential("bookworm")
def test_a_run_that_died_is_finished_by_the_next(test_host, postgres):
    """After a kill between the settings, the reload and the restart, the next run reads from the server what is pending."""
    wanted = {"postgres_settings": {"shared_buffers": "96MB", "work_mem": "5MB"}}
    deaths = killed_after_each_change(lambda **settings: postgres(wanted, **settings))
    names = [re.sub(r"^.*? : ", "", task) for task in deaths.tasks]
    assert names == ["Write the settings", "Reload Postgres", "Restart Postgres"]
    assert "changed=0 " in deaths.last.stdout, deaths.last.stdout
    assert (
        test_host.sql("postgres", "SELECT current_setting('shared_buffers'), current_setting('work_mem')") == "96MB|5MB"
    )
    assert test_host.sql("postgres", "SELECT count(*) FROM pg_settings WHERE pending_restart") == "0"


def test_what_a_reload_brings_restarts_nothing(test_host, postgres):
    before = started(test_host)
    done = postgres({"postgres_settings": {"work_mem": "6MB"}})
    assert done.returncode == 0, done.stdout
    assert (test_host.sql("postgres", "SHOW work_mem"), started(test_host)) == ("6MB", before)


def test_what_is_down_or_changed_by_hand_is_restored(test_host, postgres):
    unit = f"postgresql@{version(test_host)}-langgraph"
    test_host.host.check_output(f"systemctl disable --now {unit} && rm -r /run/langgraph-postgres")
    assert postgres({}).returncode == 0
    assert test_host.host.service(unit).is_enabled
    assert test_host.sql("postgres", "SELECT 1") == "1"
    test_host.host.check_output(
        f"echo 'local all all trust' >> /etc/postgresql/{version(test_host)}/langgraph/pg_hba.conf"
    )
    test_host.host.check_output(f"systemctl reload {unit}")
    assert postgres({}).returncode == 0
    assert test_host.sql("postgres", "SELECT count(*) FROM pg_hba_file_rules WHERE auth_method = 'trust'") == "0"


@pytest.mark.essential("trixie")
def test_what_would_lose_or_disturb_a_cluster_is_refused(test_host, postgres):
    ours = version(test_host)
    refused(postgres({"postgres_version": 14}), f"but the cluster of the deployments is {ours}/langgraph")
    refused(postgres({"postgres_settings": {"Port": 1}}), "postgres_settings has port, which only the role may set")
    before = started(test_host)
    bad = postgres({"postgres_settings": {"shared_buffers": "many"}})
    assert bad.returncode != 0
    assert 'invalid value for parameter "shared_buffers"' in bad.stdout + bad.stderr
    assert "many" not in test_host.host.check_output(f"cat /etc/postgresql/{ours}/langgraph/conf.d/langgraph.conf")
    assert started(test_host) == before


@pytest.mark.essential("trixie")
def test_a_cluster_of_somebody_else_is_never_touched(test_host, postgres):
    """Its port is refused; the role, including a restart of the deployments' cluster, changes neither its files nor its server."""
    shop = f"{version(test_host)} shop"
    directory, unit = f"/etc/postgresql/{shop.replace(' ', '/')}", f"postgresql@{shop.replace(' ', '-')}"
    look = f"find {directory} -type f -exec sha256sum {{}} + | sort; stat -c %Z {directory}/*; systemctl show {unit} -p MainPID"
    test_host.host.check_output(f"LC_ALL=C.UTF-8 pg_createcluster --port 5439 {shop}")
    try:
        test_host.host.check_output(f"echo 'host all all 127.0.0.1/32 md5' >> {directory}/pg_hba.conf")
        test_host.host.check_output(f"timeout 60 systemctl start {unit}")
        before = test_host.host.check_output(look)
        refused(postgres({"postgres_port": 5439}), "postgres_port 5439 is the port of the Postgres cluster")
        done = postgres({"postgres_settings": {"shared_buffers": "80MB"}})
        assert "which interrupts all deployments" in done.stdout, done.stdout
        assert test_host.sql("postgres", "SHOW shared_buffers") == "80MB"
        assert test_host.host.check_output(look) == before
    finally:
        test_host.host.check_output(f"systemctl stop {unit}; pg_dropcluster {shop}")
