# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The application's own exception in a log, as Python 3.11 writes tracebacks."""

from __future__ import annotations

import pytest

from ansible_collections.selfhost.langgraph.plugins.module_utils._server.log_causes import likely_cause
from ansible_collections.selfhost.langgraph.plugins.module_utils._server.tracebacks import raised_by_application

SERVER = """\
2026-11-27T10:00:00.000000Z [error    ] Traceback (most recent call last):
  File "/usr/local/lib/python3.11/dist-packages/langgraph_api/graph.py", line 500, in _graph_from_spec
    modspec.loader.exec_module(module)
  File "<frozen importlib._bootstrap_external>", line 940, in exec_module"""
WRAPPED = """
The above exception was the direct cause of the following exception:

Traceback (most recent call last):
  File "/usr/local/lib/python3.11/dist-packages/langgraph_api/graph.py", line 510, in _graph_from_spec
    raise GraphLoadError(spec, exc) from exc
langgraph_api.utils.errors.GraphLoadError: Failed to load graph 'greeter' from /deps/greeter/src/greeter/graph.py: 'GREETER_TOKEN'
2026-11-27T10:00:00.100000Z [error    ] Application startup failed. Exiting. [uvicorn.error]"""
VARIABLE = f"""{SERVER}
  File "/deps/greeter/src/greeter/graph.py", line 3, in <module>
    from greeter.words import TOKEN
  File "/deps/greeter/src/greeter/words.py", line 5, in <module>
    TOKEN = os.environ["GREETER_TOKEN"]
            ~~~~~~~~~~^^^^^^^^^^^^^^^^^
  File "<frozen os>", line 679, in __getitem__
KeyError: 'GREETER_TOKEN'
{WRAPPED}""".splitlines()
KEY = f"""{SERVER}
  File "/deps/greeter/src/greeter/words.py", line 7, in <module>
    WORD = WORDS["missing"]
           ~~~~~^^^^^^^^^^^
KeyError: 'missing'
{WRAPPED}""".splitlines()
SYNTAX = f"""{SERVER}
  File "/deps/greeter/src/greeter/words.py", line 2
    def greet()
               ^
SyntaxError: expected ':'
{WRAPPED}""".splitlines()
DEEP = f"""{SERVER}
  File "/deps/greeter/src/greeter/words.py", line 9, in <module>
    client = openai.OpenAI()
  File "/usr/local/lib/python3.11/site-packages/openai/_client.py", line 130, in __init__
    raise OpenAIError(
openai.OpenAIError: The api_key client option must be set
{WRAPPED}""".splitlines()
BARE = f"""{SERVER}
  File "/deps/greeter/src/greeter/words.py", line 9, in <module>
    raise SystemExit
SystemExit
{WRAPPED}""".splitlines()
WORDS = "/deps/greeter/src/greeter/words.py"
CASES = {
    "variable": (VARIABLE, f"KeyError: 'GREETER_TOKEN' ({WORDS}, line 5)", "GREETER_TOKEN"),
    "key": (KEY, f"KeyError: 'missing' ({WORDS}, line 7)", None),
    "syntax": (SYNTAX, f"SyntaxError: expected ':' ({WORDS}, line 2)", None),
    "below the application": (
        DEEP,
        f"openai.OpenAIError: The api_key client option must be set ({WORDS}, line 9)",
        None,
    ),
    "without a message": (BARE, f"SystemExit ({WORDS}, line 9)", None),
}


@pytest.mark.parametrize(("log", "line", "variable"), CASES.values(), ids=CASES)
def test_what_the_application_raised(log: list[str], line: str, variable: str | None) -> None:
    found = raised_by_application([*KEY, "restarted", *log])
    assert found
    assert (found.line, found.variable) == (line, variable)


@pytest.mark.parametrize("log", [[], ["KeyError: 'X'"], VARIABLE[:8]], ids=["empty", "no frame", "cut"])
def test_a_log_without_it(log: list[str]) -> None:
    assert raised_by_application(log) is None


def test_the_cause_of_a_missing_variable() -> None:
    cause = likely_cause("failed", 3, None, VARIABLE)
    assert (cause.code, cause.text) == ("variable", "it lacks the variable GREETER_TOKEN: set it in 'env'")
    assert cause.line == f"KeyError: 'GREETER_TOKEN' ({WORDS}, line 5)"


def test_the_cause_of_another_exception() -> None:
    cause = likely_cause("failed", 3, None, SYNTAX)
    assert (cause.code, cause.text) == ("graph", "its graph cannot be loaded")
    assert cause.line == f"SyntaxError: expected ':' ({WORDS}, line 2)"


def test_an_exception_behind_an_exit_code() -> None:
    log = [line for line in KEY if "GraphLoadError" not in line]
    assert likely_cause("failed", 3, None, log).line == f"KeyError: 'missing' ({WORDS}, line 7)"
