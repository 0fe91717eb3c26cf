# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every module that uses a library of the distribution continues in the Python that has it."""

from __future__ import annotations

import re
import typing as t

import pytest

from ansible_collections.selfhost.langgraph.tests.unit.plugins.modules.helper import FOLDER, MODULES

PLUGINS = FOLDER.parent
# The names of the errors, and where they are made.
ERROR = re.compile(r"\b(DOCKER|PSYCOPG|REDIS)_IMPORT_ERROR\b")
IMPORTS = re.compile(r"plugins\.(module_utils[.\w]*) import (\([^)]*\)|.*)")


def imported(text: str) -> t.Iterator[str]:
    """The files of module_utils that a file imports: those it imports from, and modules that it imports by name."""
    for place, names in IMPORTS.findall(text):
        for path in (place, *(f"{place}.{name}" for name in re.findall(r"\w+", names))):
            file = f"{path.replace('.', '/')}.py"
            if (PLUGINS / file).exists():
                yield file


def reached(name: str) -> dict[str, str]:
    """The text of a module and of all that it imports, and of what those do."""
    found = {name: (FOLDER / f"{name}.py").read_text()}
    waiting = list(imported(found[name]))
    while waiting:
        util = waiting.pop()
        if util not in found:
            found[util] = (PLUGINS / util).read_text()
            waiting += imported(found[util])
    return found


@pytest.mark.parametrize("name", MODULES)
def test_it_asks_for_the_libraries_that_it_reaches(name: str) -> None:
    texts = reached(name)
    # What a helper of several modules imports for some of them alone is theirs to ask for.
    uses = set(ERROR.findall(texts[name]))
    asked = {
        error
        for text in texts.values()
        for line in re.findall(r"require\(module.*", text)
        for error in ERROR.findall(line)
    }
    assert uses <= asked
    assert not any("missing_required_lib" in text for text in texts.values())
