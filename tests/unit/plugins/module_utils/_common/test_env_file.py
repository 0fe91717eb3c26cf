# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The user's .env file in, the engine's environment file out."""

from __future__ import annotations

import io

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ansible_collections.selfhost.langgraph.plugins.module_utils._common.env_file import (
    LONGEST_LINE,
    EnvFileError,
    fault,
    from_option,
    parse_env_file,
    parse_rendered,
    render,
    to_option,
    to_variable,
)

GOOD = {
    "plain": ("A=1\nB=two words\n", {"A": "1", "B": "two words"}),
    "comments and blank lines": ("# one\n\n  # two\nA=1 # three\n", {"A": "1"}),
    "a hash inside a value": ("URL=http://x/#part\n", {"URL": "http://x/#part"}),
    "export": ("export A=1\nexport  B = 2\n", {"A": "1", "B": "2"}),
    "quotes": ("A='x # y'\nB=\"x # y\" # z\nC=''\n", {"A": "x # y", "B": "x # y", "C": ""}),
    "quotes in quotes": ('A=\'say "hi"\'\nB="it\'s"\n', {"A": 'say "hi"', "B": "it's"}),
    "escapes": (r'A="{\"a\": \"b\\c\"}"' + "\n" + r"B='it\'s \n'" + "\n", {"A": r'{"a": "b\c"}', "B": r"it's \n"}),
    "escapes of both quotes": (r'A="it\'s \"x\""', {"A": 'it\'s "x"'}),
    "JSON without quotes": ('A={"a": 1}\n', {"A": '{"a": 1}'}),
    "equals signs in a value": ("A=b=c==\n", {"A": "b=c=="}),
    "no value": ("A=\n", {"A": ""}),
    "nothing is expanded": ("A=$HOME ${B}\n", {"A": "$HOME ${B}"}),
    "written on Windows": ("\ufeffA=1\r\nB=2\r\n", {"A": "1", "B": "2"}),
    "other separators are part of a value": ("A=x\x0cy\u2028z\n", {"A": "x\x0cy\u2028z"}),
    "empty file": ("", {}),
}


@pytest.mark.parametrize(("text", "expected"), GOOD.values(), ids=GOOD)
def test_env_file(text: str, expected: dict[str, str]) -> None:
    assert parse_env_file(text) == expected


BAD = {
    "no equals sign": ("A=1\nsk-secret\n", "line 2 is not NAME=value"),
    "not a name": ("my-key=1\n", "line 1 is not NAME=value"),
    "twice": ("A=1\n\nA=2\n", "line 3 sets A a second time"),
    "open quote": ("A='sk-secret\n", "line 1 has an unterminated quote"),
    "text after a quote": ("A='x' sk-secret\n", "line 1 has an unterminated quote"),
    "more lines in a quote": ('A="one\ntwo"\n', "line 1 has an unterminated quote"),
}


@pytest.mark.parametrize(("text", "message"), BAD.values(), ids=BAD)
def test_bad_env_file(text: str, message: str) -> None:
    with pytest.raises(EnvFileError) as error:
        parse_env_file(text)
    assert str(error.value) == message


VALUES = {
    "true": (True, "true"),
    "false": (False, "false"),
    "number": (5, "5"),
    "fraction": (0.5, "0.5"),
    "text": ("x y", "x y"),
    "list": (["a", "b"], "a,b"),
    "mapping": ({"b": 1, "a": [True]}, '{"a":[true],"b":1}'),
}


@pytest.mark.parametrize(("value", "text"), VALUES.values(), ids=VALUES)
def test_variable(value: object, text: str) -> None:
    assert to_variable(value) == text


def test_render_is_sorted_and_literal() -> None:
    assert render({"B": "'x' \"y\" # z", "A": ""}) == "A=\nB='x' \"y\" # z\n"


FAULTS = {
    "newline": ("KEY", "a\nb", "has a line break"),
    "carriage return": ("KEY", "a\rb", "has a line break"),
    "end of a string": ("KEY", "a\0b", "has a line break"),
    "as long as a line may be": ("KEY", "x" * (LONGEST_LINE - 4), None),
    "longer": ("KEY", "é" * (LONGEST_LINE // 2), "is too long"),
    "a name with an equals sign": ("A=B", "", "is not the name of a variable"),
    "a name with a line break": ("A\nB", "", "is not the name of a variable"),
    "no name": ("", "", "is not the name of a variable"),
    "no value": ("_a1", "", None),
    "other separators": ("KEY", "x\x0cy\u2028z", None),
}


@pytest.mark.parametrize(("name", "value", "finding"), FAULTS.values(), ids=FAULTS)
def test_what_the_file_cannot_hold(name: str, value: str, finding: str | None) -> None:
    found = fault(name, value)
    assert (found[0] if found else None) == finding


def test_an_option_gives_back_what_was_put_in() -> None:
    assert from_option(to_option({"A": 'x\n"é', "N": 5, "B": True, "L": [1, 2]})) == {
        "A": 'x\n"é',
        "N": "5",
        "B": "true",
        "L": "1,2",
    }
    assert from_option('{"A": 1, "B": false}') == {"A": "1", "B": "false"}
    assert from_option(to_option({})) == from_option("{}") == from_option(None) == {}
    assert to_option({}) == ""


@pytest.mark.parametrize("option", ["A=sk-secret\n", '["sk-secret"]', "1"])
def test_an_option_that_is_no_mapping_is_not_shown(option: str) -> None:
    with pytest.raises(ValueError, match=r"^is not a mapping of names to values$"):
        from_option(option)


NAMES = st.from_regex(r"[A-Z_][A-Z0-9_]{0,8}", fullmatch=True)
ONE_LINE = st.text().filter(lambda text: not set(text) & set("\n\r\0"))


@given(st.dictionaries(NAMES, ONE_LINE))
def test_rendered_file_reads_back(environment: dict[str, str]) -> None:
    assert parse_rendered(render(environment)) == environment


@given(NAMES, ONE_LINE)
def test_quoted_value_reads_back(name: str, value: str) -> None:
    quoted = value.replace("\\", "\\\\").replace('"', '\\"')
    assert parse_env_file(f'export {name}="{quoted}" # comment\n') == {name: value}


LINES = st.lists(
    st.builds(
        "{}{}{}{}".format,
        st.sampled_from(["", "export ", "  "]),
        NAMES,
        st.sampled_from(["=", " = "]),
        st.text("ab \"'\\\\#=$\u00e9{}\t", max_size=8)
        | st.text('ab "\\\\#=', max_size=6).map("'{}'".format)
        | st.text("abfnrtvx '\\\\#=", max_size=6).map('"{}" # c'.format),
    )
    | st.sampled_from(["", "# comment", "  # A=1"]),
    max_size=4,
)


@given(LINES)
@example(["A = # no value"])
@example(["A=# no comment"])
def test_dotenv_reads_the_same(lines: list[str]) -> None:
    """Whatever is accepted here. python-dotenv accepts more: it skips what it cannot parse, and takes the last of two values."""
    dotenv = pytest.importorskip("dotenv")
    text = "\n".join(lines)
    try:
        variables = parse_env_file(text)
    except EnvFileError:
        return
    assert variables == dotenv.dotenv_values(stream=io.StringIO(text), interpolate=False)


def test_only_a_newline_ends_a_variable() -> None:
    assert parse_rendered("A=x\x0cB=y\u2028z\x85\nC=\n\nno variable\n") == {"A": "x\x0cB=y\u2028z\x85", "C": ""}
    assert parse_rendered("") == {}
