# Copyright (c) 2026, the selfhost.langgraph authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The table in the kernel, which the watcher loads again."""

from __future__ import annotations


def test_the_kernel_has_the_table_with_all_services(host):
    table = host.check_output("nft list table inet langgraph")
    assert "192.0.2.77 . 7777" in table
    assert "172.29.0.1 . 6379" in table
    assert host.service("langgraph-firewall").is_enabled


def test_a_removed_table_is_loaded_again(host, test_host):
    host.check_output("nft delete table inet langgraph")
    assert test_host.wait_until(lambda: "192.0.2.77 . 7777" in host.run("nft list table inet langgraph").stdout, 10)


def test_the_distributions_own_service_stays_off(host):
    assert not host.service("nftables").is_running
    assert not host.service("nftables").is_enabled
