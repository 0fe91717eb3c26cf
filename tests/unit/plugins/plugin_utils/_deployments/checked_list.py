# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A checked list of deployments for the tests of everything that takes one."""

from __future__ import annotations

import typing as t

from ansible_collections.selfhost.langgraph.plugins.plugin_utils._deployments.list_rules import CheckContext
from ansible_collections.selfhost.langgraph.plugins.plugin_utils._deployments.validate import check_deployments

LIST: list[dict[str, t.Any]] = [
    {"name": "support-bot", "image": "bot:1", "port": 8123, "edition": "none", "env": {"MODEL": "x"}, "tls": True}
    | {"hostname": "support.example.com", "mount_prefix": "/bot"},
    {"name": "old", "state": "stopped"},
    {"name": "research", "image": "r:1", "port": 8124, "edition": "none", "postgres_password": "p@ss/word"},
]
CHECKED = check_deployments(LIST, CheckContext("k" * 32))[0]
# As redis_database returns them.
NUMBERS = {"support-bot": {"redis_db": 1}, "research": {"redis_db": 7}}
DATABASES = {
    "support-bot": {"database": "support_bot", "login": "support_bot"},
    "research": {"database": "research", "login": "research"},
}
