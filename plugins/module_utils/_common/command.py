# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Run programs of the host without a module object."""

from __future__ import annotations

import os
import subprocess
import typing as t


def run(
    command: t.Sequence[str],
    *,
    environment: t.Mapping[str, str] | None = None,
    directory: str | None = None,
    text: str = "",
    timeout: float | None = None,
    one_output: bool = False,
) -> subprocess.CompletedProcess[str]:
    """Run a program without a shell; return its exit code and its outputs as text, whatever the exit code is.

    ``environment`` is added to the module's own, ``text`` is its standard input; ``one_output`` merges standard error into
    standard output. Raises OSError if it cannot be started, subprocess.TimeoutExpired.
    """
    # AnsibleModule.run_command ends the module if a program is missing, and would need the module object here.
    return subprocess.run(  # pylint: disable=ansible-bad-function
        command,
        cwd=directory,
        env={**os.environ, **(environment or {})},
        input=text,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT if one_output else subprocess.PIPE,
        # Independent of the host's locale: a secret that is decoded differently would not be masked.
        encoding="utf-8",
        errors="replace",
        timeout=timeout,
        check=False,
    )
