# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The parts of the gate: their sessions, what each of them counts, and the last lines."""

from __future__ import annotations

import ast
import json
import re
import typing as t
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
JUNIT = (
    '<testsuites><testsuite tests="{tests}" failures="{failed}" errors="0" skipped="0">{cases}</testsuite></testsuites>'
)
ONE, LOST = "1 passed, 0 failed, 0 skipped", "0 passed, 1 failed, 0 skipped"


@pytest.fixture
def gate(tool: t.Callable[[str], t.Any]) -> t.Any:
    return tool("gate")


def report(path: Path, **sessions: str) -> Path:
    """Write a report like nox's: the result of each session by name."""
    entries = [
        {"name": name, "signatures": [name], "result": result, "reason": "why" if result == "aborted" else None}
        for name, result in sessions.items()
    ]
    path.write_text(json.dumps({"result": 0, "sessions": entries}))
    return path


def junit(path: Path, failed: int = 0, *names: str) -> None:
    """Write a report like pytest's."""
    cases = "".join(f'<testcase classname="molecule.a.tests.test_b" name="{name}"/>' for name in names)
    path.write_text(JUNIT.format(tests=len(names) + failed, failed=failed, cases=cases))


def declared() -> set[str]:
    """Return the names of the sessions in noxfile.py."""
    found = set()
    for node in ast.parse((ROOT / "noxfile.py").read_text(encoding="utf-8")).body:
        for decorator in getattr(node, "decorator_list", ()):
            if ast.unparse(decorator).startswith("nox.session"):
                named = re.search(r"name='([^']*)'", ast.unparse(decorator))
                found.add(named[1] if named else node.name)  # type: ignore[attr-defined]
    return found


@pytest.mark.skipif(not (ROOT / "noxfile.py").exists(), reason="an installed collection has no noxfile")
def test_every_part_is_a_session(gate: t.Any) -> None:
    parts = {part for lane in gate.LANES for part in lane} | set(gate.LAST) | {"unit"}
    assert parts == set(re.search(r"parts: ([a-z ]+)$", gate.__doc__, re.MULTILINE)[1].split())  # type: ignore[index]
    names = {session.partition("(")[0] for session in gate.sessions_of(parts)}
    assert names <= declared()
    assert set(gate.REPORTS) <= set(gate.sessions_of(parts))


def test_sessions_of_parts(gate: t.Any) -> None:
    assert gate.sessions_of(["lint", "sanity"]) == ["lint", "sanity(oldest)", "units(oldest)"]


def test_the_checks_of_lint_count_one_by_one(gate: t.Any, tmp_path: Path) -> None:
    path = report(tmp_path / "nox.json", ruff="success", mypy="failed", lint="aborted", docs="success")
    assert gate.outcomes(["lint", "docs"], path) == [("ruff", ""), ("mypy", "failed"), ("docs", "")]


def test_the_reason_of_a_session(gate: t.Any, tmp_path: Path) -> None:
    assert gate.outcomes(["docs"], report(tmp_path / "nox.json", docs="aborted")) == [("docs", "why")]


def test_a_skipped_session_is_a_failure(gate: t.Any, tmp_path: Path) -> None:
    assert gate.outcomes(["docs"], report(tmp_path / "nox.json", docs="skipped")) == [("docs", "skipped")]


@pytest.mark.parametrize("content", [None, "{", '{"sessions": []}'], ids=["no report", "half a report", "nothing ran"])
def test_sessions_without_a_result(gate: t.Any, tmp_path: Path, content: str | None) -> None:
    """As after a kill of nox."""
    if content is not None:
        (tmp_path / "nox.json").write_text(content)
    assert gate.outcomes(["lint", "docs"], tmp_path / "nox.json") == [("lint", "no result"), ("docs", "no result")]


def test_a_session_without_reports_counts_as_one(gate: t.Any, tmp_path: Path) -> None:
    assert gate.count(gate.Outcome("docs", ""), tmp_path) == ([ONE], [])
    assert gate.count(gate.Outcome("docs", "why"), tmp_path) == ([LOST], ["docs: why"])


def test_a_session_with_reports_counts_their_tests(gate: t.Any, tmp_path: Path) -> None:
    junit(tmp_path / "units-oldest-a.xml", 1, "test_one", "test_two")
    counted = gate.count(gate.Outcome("units(oldest)", "failed"), tmp_path)
    assert counted == (["2 passed, 1 failed, 0 skipped"], [])


def test_a_session_that_failed_without_a_failed_test(gate: t.Any, tmp_path: Path) -> None:
    junit(tmp_path / "units-oldest-a.xml", 0, "test_one")
    counted = gate.count(gate.Outcome("units(oldest)", "exit 2"), tmp_path)
    assert counted == ([ONE, LOST], ["units(oldest): exit 2"])


def test_tests_of_promises_that_were_not_run(gate: t.Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    junit(tmp_path / "molecule-a.xml", 0, "test_one")
    wanted = [f"molecule/a/tests/test_b.py::test_{name}" for name in ("one", "two")]
    monkeypatch.setitem(gate.MUST_RUN, "molecule", lambda: wanted)
    lines, failures = gate.count(gate.Outcome("molecule", ""), tmp_path)
    assert lines == [ONE, LOST]
    assert failures == [f"{wanted[1]} (a promise rests on it, and it was not run)"]


def test_total(gate: t.Any) -> None:
    assert gate.total([ONE, "7 passed, 2 failed, 3 skipped", LOST]) == (8, 3, 3)
    assert gate.total([]) == (0, 0, 0)


@pytest.mark.parametrize(("failure", "code"), [("", 0), ("why", 1)])
def test_the_last_lines(
    gate: t.Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    failure: str,
    code: int,
) -> None:
    """Everything that .ci/run and a reader of the end need."""
    place = tmp_path / "results"
    monkeypatch.setattr(gate, "RESULTS", place)

    def run(_parts: object) -> list[t.Any]:
        (place / "molecule-failed").write_text("scenario a:\nfatal: no")
        return [gate.Outcome("docs", failure), gate.Outcome("ruff", "")]

    monkeypatch.setattr(gate, "run", run)
    assert gate.main([]) == code
    last = "2 passed, 0 failed, 0 skipped" if not failure else "1 passed, 1 failed, 0 skipped"
    assert (place / "sum").read_text() == f"{last}\n"
    assert len((place / "counts").read_text().splitlines()) == 2
    output = capsys.readouterr().out.splitlines()
    assert output[-1] == last
    assert ("failed: docs: why" in output) == bool(failure)
    assert "fatal: no" in output
