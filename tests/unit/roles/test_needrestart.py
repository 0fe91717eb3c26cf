# Copyright (c) 2026, the selfhost.langgraph authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The configuration of needrestart is Perl, and an invalid file stops needrestart for the whole host."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

FILE = Path(__file__).parents[3] / "roles/packages/files/needrestart.conf"
# Like needrestart: evaluate the content of the file in the scope of the settings.
READ = """
use strict; use warnings FATAL => 'all';
our %nrconf = (override_rc => {qr(^docker) => 0});
my $text = do { local (@ARGV, $/) = shift @ARGV; <> };
eval $text; die $@ if $@;
foreach my $unit (@ARGV) {
    print "$unit\\n" if grep { $unit =~ /$_/ } keys %{$nrconf{override_rc}};
}
"""
KEPT = [
    "langgraph@support-bot.3.service",
    "langgraph-drain@support-bot.2.service",
    "langgraph-proxy.service",
    "langgraph-data-proxy.service",
    "redis-server@langgraph.service",
    "valkey-server@langgraph.service",
    "postgresql@15-langgraph.service",
    "docker.service",
]
NOT_OURS = [
    "redis-server.service",
    "redis-server@shop.service",
    "postgresql@15-main.service",
    "haproxy.service",
    "ssh.service",
]


@pytest.mark.skipif(shutil.which("perl") is None, reason="there is no Perl")
def test_what_needrestart_does_not_restart() -> None:
    command = ["perl", "-e", READ, str(FILE), *KEPT, *NOT_OURS]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == KEPT
