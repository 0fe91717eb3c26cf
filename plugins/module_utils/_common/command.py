# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Programs of the host, run where no module object is at hand."""

from __future__ import annotations

import os
import subprocess
import typing as t


def run(
    command: t.Sequence[str],
    *,
    environment: t.Mapping[str, str] | None = None,
    folder: str | None = None,
    text: str = "",
    timeout: float | None = None,
    one_output: bool = False,
) -> subprocess.CompletedProcess[str]:
    """Run a program without a shell and give its end and its outputs as text, whatever its exit code is.

    ``environment`` goes on top of the module's own, ``text`` to its standard input; ``one_output`` puts what it prints as
    an error in its place among the rest. Raises OSError where it cannot be started, subprocess.TimeoutExpired.
    """
    # AnsibleModule.run_command ends the module on a program that is missing, and needs the module down here.
    return subprocess.run(  # pylint: disable=ansible-bad-function
        command,
        cwd=folder,
        env={**os.environ, **(environment or {})},
        input=text,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT if one_output else subprocess.PIPE,
        # Whatever locale the host gives the module: what it does not decode as it was written it would not mask either.
        encoding="utf-8",
        errors="replace",
        timeout=timeout,
        check=False,
    )
