# Copyright (c) 2026, the selfhost.langgraph authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every text that the collection can print as a message, read from its sources without running them.

A message is found where it leaves: as the finding of a Problem, as the text of an error, a failure, a warning, a cause.
Names are followed back to what was assigned to them in the same function, and parameters to what callers in the same file
pass. What an f-string or a template fills in is a hole, written ``*``.
"""

from __future__ import annotations

import ast
import itertools
import re
import typing as t
from dataclasses import dataclass
from pathlib import Path

import yaml

HOLE = "*"
# What is raised or made with a text for people.
ERRORS = re.compile(r"(Error|Refused|Fail|Unknown|Unavailable)$")
# Functions whose argument is a message: name -> position, or keyword.
CALLS: dict[str, int | str] = {
    "Problem": 2,
    "Cause": 1,
    "unlogged": 2,
    "Refusal": 2,
    "fail_json": "msg",
    "exit": 0,
    "say": 0,
    "print": 0,
    "warn": 0,
}
# Functions that give messages, or tuples with one: name, or FILE (below plugins/):name -> position in the tuple, None for the text itself.
GIVES: dict[str, int | None] = {
    "_build_warnings": None,
    "_env_warnings": None,
    "module_utils/_images/build.py:_no_base": None,
    "plugin_utils/_deployments/data_proxy.py:_no_access": None,
    "plugin_utils/_deployments/data_proxy.py:_no_address": None,
    "plugin_utils/_deployments/data_proxy.py:_no_server": None,
    "plugin_utils/_deployments/data_proxy.py:_no_source": None,
    "plugin_utils/_deployments/data_proxy.py:_same_port": None,
    "address_complaint": None,
    "_variable": 0,
    "fault": 0,
    "module_utils/_host/apt.py:refusal": None,
    "module_utils/_claims/redis/instance.py:too_few_databases": None,
    "module_utils/_claims/redis/instance.py:claims_elsewhere": None,
    "module_utils/_claims/redis/instance.py:no_password": None,
    "module_utils/_claims/redis/instance.py:unknown_databases": None,
    "module_utils/_claims/redis/instance.py:unknown_claims": None,
    "module_utils/_claims/redis/instance.py:other_implementation": None,
    "module_utils/_claims/redis/instance.py:not_responding": None,
    "module_utils/_host/engine_service.py:problems": None,
    "module_utils/_host/engine_network.py:network_problems": None,
    "module_utils/_host/engine_options.py:problems": None,
    "module_utils/_images/build.py:_why": None,
    "module_utils/_images/load.py:_why": None,
    "_without_log": 1,
    "command_findings": None,
    "complaint": None,
    "module_utils/_rollout/capacity.py:refusal": None,
    "module_utils/_claims/postgres/cluster.py:problems": None,
    "explain": 0,
    "pattern_findings": None,
    "taken_ports": None,
    "warning": None,
    "warnings_of": None,
    "unknown_warnings": None,
    "summarize": None,
    "still_open": None,
    "misspelled": None,
    "rollback_warning": None,
}
# Tables of messages: name -> position in each entry.
TABLES = {"_CAUSES": 1, "_PATTERNS": 2, "_REASONS": 1}
# What Ansible itself words.
LIBRARY = "Failed to import the required Python library (*) on *"
# Sentences that leave by no way that is known here: each must be none, or the way be added above.
SENTENCE = re.compile(r"[a-z']+ [a-z']+ [a-z']+ [a-z']+")
# File, below plugins/ -> what in it is no message: parts of lines in tables, of files, of what is asked of others.
NOT_MESSAGES: dict[str, re.Pattern[str]] = {
    "module_utils/_host/apt.py": re.compile("The following packages"),
    "action/deployment_rollout.py": re.compile("s to become healthy"),
    "module_utils/_rollout/module.py": re.compile("not on the host yet|run the playbook site first"),
    "module_utils/_server/log_causes.py": re.compile("DB index"),
    "module_utils/_host/engine_network.py": re.compile("^the engine's network|^its own address"),
    "module_utils/_images/build.py": re.compile("no space left|could not find"),
    "plugin_utils/_images/build_options.py": re.compile("of strings"),
    "roles/firewall/files/langgraph-firewall.py": re.compile("type ipv4_addr"),
    "module_utils/_common/ansible_module.py": re.compile("import importlib"),
    "module_utils/_rollout/plan.py": re.compile(
        "is no longer kept|runs and does not serve|rollback from|runs or starts at boot"
    ),
    "module_utils/_claims/postgres/extensions.py": re.compile(
        "rename or drop|drop '|ask an administrator to run in the"
    ),
    "module_utils/_claims/postgres/cluster.py": re.compile("SELECT pg_catalog"),
    "modules/postgres_cluster_info.py": re.compile("the library psycopg is|it returns no rows|there is no socket for"),
    "module_utils/_claims/postgres/plan.py": re.compile("the comment of the database"),
    "module_utils/_haproxy/config.py": re.compile("Written by|http-request"),
    "module_utils/_claims/redis/acl.py": re.compile("asking bgrewriteaof|caching getname"),
    "module_utils/_claims/redis/logins.py": re.compile("set users_in_use"),
    "module_utils/_claims/redis/durable.py": re.compile("no fsync in time"),
    "module_utils/_claims/redis/instance.py": re.compile("is claimed by"),
    "module_utils/_claims/redis/record.py": re.compile("local key"),
    "module_utils/_claims/redis/scripts.py": re.compile("local "),
    "module_utils/_claims/redis/state.py": re.compile("keyspace read|may not run"),
    "plugin_utils/_deployments/removal.py": re.compile(
        "Removing the|block the removal|would delete|are connected|but must|number of|is still in|remove it there|again, empty"
    ),
    "module_utils/_revisions/diff.py": re.compile("files of"),
    "module_utils/_common/deployment_options.py": re.compile("the co"),
    "filter/deployment_table.py": re.compile("; |, "),
    "filter/status_table.py": re.compile("its Postgres database and"),
}
# Of generators of (option, finding, remedy), as their annotation says.
FINDING = ("Finding", 1)
# More texts than these from one expression are not told apart.
LIMIT = 200


@dataclass(frozen=True)
class Message:
    """One text with its holes, and where it is made."""

    text: str
    place: str


def normal(text: str) -> str:
    """White space and holes that follow each other are one."""
    text = " ".join(text.split())
    return re.sub(r"(\* ?)*\*", HOLE, text)


class Module:
    """The messages of one Python file."""

    def __init__(self, path: Path, name: str) -> None:
        self._name, self._file = name, name.removeprefix("plugins/")
        self._tree = ast.parse(path.read_text(encoding="utf-8"))
        self._functions = [node for node in ast.walk(self._tree) if isinstance(node, ast.FunctionDef)]
        self._owner: dict[ast.AST, ast.FunctionDef] = {}
        for function in self._functions:
            for node in ast.walk(function):
                self._owner[node] = function  # the innermost comes last, as walk() goes from the outside in
        self._read: set[ast.AST] = set()

    def unread(self) -> t.Iterator[Message]:
        """Sentences that messages() does not see and that are not known to be none."""
        list(self.messages())
        told = set(self._read)
        for node in ast.walk(self._tree):
            body = getattr(node, "body", None)
            if isinstance(body, list) and body and isinstance(body[0], ast.Expr):
                told.update(ast.walk(body[0]))
            if isinstance(node, ast.Assign) and _name(node.targets[0]) in ("DOCUMENTATION", "EXAMPLES", "RETURN"):
                told.update(ast.walk(node))
        known = NOT_MESSAGES.get(self._file)
        for node in ast.walk(self._tree):
            text = node.value if isinstance(node, ast.Constant) and node not in told else None
            if isinstance(text, str) and SENTENCE.search(text) and not (known and known.search(text)):
                yield Message(normal(text), f"{self._name}:{node.lineno}")

    def messages(self) -> t.Iterator[Message]:
        """Each message once."""
        seen = set()
        for node in self._sinks():
            for text in self._texts(node, frozenset()):
                text = normal(text)
                if text not in seen and re.search(r"[A-Za-z]{2}", text):
                    seen.add(text)
                    yield Message(text, f"{self._name}:{node.lineno}")

    # Where messages leave

    def _sinks(self) -> t.Iterator[ast.expr]:
        for node in ast.walk(self._tree):
            if isinstance(node, ast.Call):
                yield from self._of_call(node)
            elif isinstance(node, (ast.Assign, ast.AnnAssign)):
                yield from self._of_table(node)
        for function in self._functions:
            yield from self._of_function(function)

    def _of_call(self, node: ast.Call) -> t.Iterator[ast.expr]:
        name = _name(node.func)
        where: int | str | None = CALLS.get(name)
        if where is None and ERRORS.search(name) and name[0].isupper():
            where = 0
        if isinstance(where, int):
            values = {index: value for index, value in enumerate(node.args) if not isinstance(value, ast.Starred)}
            for index, value in values.items():
                if index == where:
                    yield value
                else:
                    self._texts(value, frozenset())  # the remedy beside it
            yield from (keyword.value for keyword in node.keywords if keyword.arg in ("finding", "msg", "cause"))
        elif where is not None:
            yield from (keyword.value for keyword in node.keywords if keyword.arg == where)

    def _of_table(self, node: ast.Assign | ast.AnnAssign) -> t.Iterator[ast.expr]:
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        for target in targets:
            position = TABLES.get(_name(target))
            if position is None:
                continue
            if isinstance(node.value, ast.Dict):
                yield from node.value.values
            for entry in getattr(node.value, "elts", ()):
                if isinstance(entry, ast.Tuple) and len(entry.elts) > position:
                    self._read.update(ast.walk(entry))
                    yield entry.elts[position]

    def _of_function(self, function: ast.FunctionDef) -> t.Iterator[ast.expr]:
        returns = ast.unparse(function.returns) if function.returns else ""
        if FINDING[0] in returns.replace("Findings", ""):
            position: int | None = FINDING[1]
        else:
            names = (function.name, f"{self._file}:{function.name}")
            known = next((name for name in names if name in GIVES), None)
            if known is None:
                return
            position = GIVES[known]
        for node in ast.walk(function):
            value: ast.expr | None = None
            if isinstance(node, (ast.Return, ast.Yield)):
                value = node.value
            elif isinstance(node, ast.Call) and _name(node.func) == "append" and position is None:
                value = node.args[0]
            if value is None:
                continue
            if position is None:
                yield from value.elts if isinstance(value, ast.List) else [getattr(value, "elt", value)]
            elif isinstance(value, ast.Tuple) and len(value.elts) > position:
                item = value.elts[position]
                for other in value.elts:
                    self._texts(other, frozenset())  # the remedy beside it
                if not isinstance(item, ast.Starred):
                    yield item

    # What they say

    def _texts(self, node: ast.expr, busy: frozenset[str]) -> list[str]:
        """Every text that an expression can be."""
        self._read.update(ast.walk(node))
        if isinstance(node, ast.Constant):
            return [node.value] if isinstance(node.value, str) else [HOLE]
        if isinstance(node, ast.JoinedStr):
            return self._joined(node.values, busy)
        if isinstance(node, ast.FormattedValue):
            # What is filled in is a hole, unless it is one of a few texts of ours.
            inner = self._texts(node.value, busy)
            ours = all(not text or re.search("[A-Za-z]{2}", text) for text in inner)
            return inner if ours and len(inner) <= 6 else [HOLE]
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
            return self._joined([node.left, node.right], busy)
        if isinstance(node, ast.IfExp):
            return [*self._texts(node.body, busy), *self._texts(node.orelse, busy)]
        if isinstance(node, ast.BoolOp):
            return [text for value in node.values for text in self._texts(value, busy)]
        if isinstance(node, ast.Call) and _name(node.func) == "format" and isinstance(node.func, ast.Attribute):
            return [re.sub(r"\{\w*\}", HOLE, text) for text in self._texts(node.func.value, busy)]
        if isinstance(node, ast.Call) and _name(node.func) == "missing_required_lib":
            return [LIBRARY]
        if isinstance(node, ast.Name):
            return self._named(node, busy)
        return [HOLE]

    def _joined(self, parts: t.Sequence[ast.expr], busy: frozenset[str]) -> list[str]:
        lists = [self._texts(part, busy) for part in parts]
        return ["".join(texts) for texts in itertools.islice(itertools.product(*lists), LIMIT)]

    def _named(self, node: ast.Name, busy: frozenset[str]) -> list[str]:
        if node.id in busy:
            return [HOLE]
        busy = busy | {node.id}
        function = self._owner.get(node)
        found: list[str] = []
        for item in ast.walk(function) if function else self._tree.body:
            if isinstance(item, ast.Assign):
                for target in item.targets:
                    found += self._assigned(target, item.value, node.id, busy)
            elif isinstance(item, ast.AnnAssign) and item.value and _name(item.target) == node.id:
                found += self._texts(item.value, busy)
            elif isinstance(item, ast.AugAssign) and _name(item.target) == node.id:
                found = [*found, *(a + b for a in found for b in self._texts(item.value, busy))]
        if not found and function:
            found = self._passed(function, node.id, busy)
        return list(dict.fromkeys(found)) or [HOLE]

    def _assigned(self, target: ast.expr, value: ast.expr, name: str, busy: frozenset[str]) -> list[str]:
        if isinstance(target, ast.Name):
            return self._texts(value, busy) if target.id == name else []
        if isinstance(target, ast.Tuple):
            position = next((i for i, item in enumerate(target.elts) if _name(item) == name), None)
            if position is None:
                return []
            # One of a table of tuples, chosen by a key.
            chosen = value.value if isinstance(value, ast.Subscript) else None
            rows = chosen.values if isinstance(chosen, ast.Dict) else [value]
            return [
                text
                for row in rows
                for text in (
                    self._texts(row.elts[position], busy)
                    if isinstance(row, ast.Tuple) and len(row.elts) == len(target.elts)
                    else [HOLE]
                )
            ]
        return []

    def _passed(self, function: ast.FunctionDef, name: str, busy: frozenset[str]) -> list[str]:
        """What callers in this file pass for a parameter."""
        arguments = [*function.args.posonlyargs, *function.args.args]
        if arguments and arguments[0].arg == "self":
            arguments = arguments[1:]
        position = next((i for i, argument in enumerate(arguments) if argument.arg == name), None)
        if position is None:
            return [HOLE]
        found: list[str] = []
        for call in ast.walk(self._tree):
            if isinstance(call, ast.Call) and _name(call.func) == function.name:
                values = [*call.args[position : position + 1], *(k.value for k in call.keywords if k.arg == name)]
                found += [text for value in values for text in self._texts(value, busy)]
        return found or [HOLE]


def _name(node: ast.AST) -> str:
    """The last part of a dotted name."""
    return getattr(node, "id", None) or getattr(node, "attr", None) or ""


def from_variables(path: Path, name: str) -> t.Iterator[Message]:
    """What a variable says that stands for one that is not defined: the text that it gives to undef(), from the same file."""
    variables = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    for value in variables.values():
        for hint in re.findall(r"undef\(hint=(\w+)\)", str(value)):
            yield Message(normal(variables[hint]), name)


def from_yaml(path: Path, name: str) -> t.Iterator[Message]:
    """What assert and fail say in the tasks of a file."""
    for task in _mappings(yaml.safe_load(path.read_text(encoding="utf-8"))):
        for module, key in (("ansible.builtin.assert", "fail_msg"), ("ansible.builtin.fail", "msg")):
            arguments = task.get(module)
            if isinstance(arguments, dict) and key in arguments:
                text = normal(re.sub(r"\{\{.*?\}\}", HOLE, str(arguments[key]), flags=re.DOTALL))
                if text != HOLE:
                    yield Message(text, name)


def _mappings(content: t.Any) -> t.Iterator[dict[str, t.Any]]:
    if isinstance(content, dict):
        yield content
    for item in content.values() if isinstance(content, dict) else content if isinstance(content, list) else ():
        yield from _mappings(item)


def modules(root: Path) -> t.Iterator[Module]:
    """The collection's Python files, but for the texts of options."""
    for pattern in ("plugins/**/*.py", "roles/*/files/*.py"):
        for path in sorted(root.glob(pattern)):
            if path.parent.name != "doc_fragments":
                yield Module(path, str(path.relative_to(root)))


def collect(root: Path) -> list[Message]:
    """Every message of the collection."""
    found = [message for module in modules(root) for message in module.messages()]
    for pattern in ("roles/*/tasks/*.yml", "playbooks/*.yml"):
        for path in sorted(root.glob(pattern)):
            found += from_yaml(path, str(path.relative_to(root)))
    for path in sorted(root.glob("roles/*/vars/main.yml")):
        found += from_variables(path, str(path.relative_to(root)))
    return found
