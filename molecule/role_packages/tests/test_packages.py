# Copyright (c) 2026, the selfhost.langgraph authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A package whose service the host did not have: it is installed, and its service stays off, also after an upgrade."""

from __future__ import annotations

UNIT = "redis-server"


def test_packages_are_installed_and_their_unit_is_off(host):
    assert host.package("redis-server").is_installed
    assert host.package("less").is_installed
    assert not host.service(UNIT).is_running
    assert not host.service(UNIT).is_enabled


def test_the_unit_can_be_started_again(host):
    """Nothing is left masked."""
    assert host.run("ls /var/lib/langgraph/held-units/*").rc != 0
    host.check_output(f"systemctl start {UNIT}")
    assert host.service(UNIT).is_running
    host.check_output(f"systemctl stop {UNIT}")


def test_an_upgrade_of_the_package_does_not_start_it(host):
    host.check_output("DEBIAN_FRONTEND=noninteractive apt-get install -q -y --reinstall redis-server")
    assert not host.service(UNIT).is_running
    assert not host.service(UNIT).is_enabled
