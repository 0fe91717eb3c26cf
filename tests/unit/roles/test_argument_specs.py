# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The documentation of a role matches its behaviour: defaults, argument specs, and every name that its files use."""

from __future__ import annotations

import re
import typing as t
from pathlib import Path

import pytest
import yaml

from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.postgres import cluster

ROOT = Path(__file__).parents[3]
ROLES = sorted(path.name for path in (ROOT / "roles").iterdir())
PREFIXES = "|".join(ROLES)
# Variables of other roles that a role's defaults read, always with their own default.
BORROWED = re.compile(rf"\b((?:{PREFIXES})_[a-z0-9_]+)\s*\| default\(")


def load(role: str, path: str) -> dict[str, t.Any]:
    file = ROOT / "roles" / role / path
    return yaml.safe_load(file.read_text()) or {} if file.exists() else {}


def specs(role: str) -> dict[str, t.Any]:
    return load(role, "meta/argument_specs.yml")["argument_specs"]


def is_template(value: t.Any) -> bool:
    if isinstance(value, (list, dict)):
        return any(is_template(item) for item in (value if isinstance(value, list) else value.values()))
    return isinstance(value, str) and "{{" in value


@pytest.mark.parametrize("role", ROLES)
def test_every_default_is_specified_and_nothing_else(role: str) -> None:
    assert list(specs(role)["main"]["options"]) == list(load(role, "defaults/main.yml"))


@pytest.mark.parametrize("role", ROLES)
def test_defaults_are_the_same(role: str) -> None:
    options = specs(role)["main"]["options"]
    for name, default in load(role, "defaults/main.yml").items():
        # A computed or null default is described in words.
        expected = None if is_template(default) else default
        assert options[name].get("default") == expected, name
        assert ("default" in options[name]) == (expected is not None), name


KINDS = {"str": str, "path": str, "int": int, "bool": bool, "list": list, "dict": dict}


@pytest.mark.parametrize("role", ROLES)
def test_types_and_sentences(role: str) -> None:
    for name, option in specs(role)["main"]["options"].items():
        default = option.get("default")
        assert default is None or default.__class__ is KINDS[option["type"]], name
        assert ("elements" in option) == (option["type"] == "list"), name
        description = option["description"]
        assert all(text.endswith(".") for text in ([description] if isinstance(description, str) else description)), (
            name
        )
        assert name.startswith(f"{role}_")


@pytest.mark.parametrize("role", ROLES)
def test_entry_points_are_documented(role: str) -> None:
    for name, entry in specs(role).items():
        assert entry["version_added"] == "0.1.0"
        assert entry["short_description"]
        assert (ROOT / "roles" / role / "tasks" / f"{name}.yml").exists()


def files(role: str) -> t.Iterator[Path]:
    for directory in ("tasks", "templates", "handlers", "vars", "defaults"):
        yield from (path for path in (ROOT / "roles" / role / directory).glob("*") if path.is_file())


def assigned(text: str) -> set[str]:
    """Return the names that tasks register, set, or pass to a loop."""
    return set(re.findall(r"(?:register|loop_var|set_fact):\s+(\w+)", text)) | set(
        re.findall(r"^\s+(__\w+):", text, re.MULTILINE)
    )


def code(path: Path) -> str:
    """Return the content of a file without comments: a mention is not a use."""
    return "\n".join(line for line in path.read_text().splitlines() if not line.lstrip().startswith("#"))


# Variables that a role sets for later roles.
FACTS = {name for role in ROLES for path in files(role) for name in re.findall(r"set_fact:\s+(\w+)", code(path))}


@pytest.mark.parametrize("role", ROLES)
def test_every_variable_that_is_used_is_defined(role: str) -> None:
    text = "\n".join(code(path) for path in files(role))
    own = {*load(role, "defaults/main.yml"), *load(role, "vars/main.yml"), *assigned(text)}
    jinja = " ".join(re.findall(r"{{.*?}}|{%.*?%}|(?:when|that|failed_when|changed_when|until): .*", text, re.DOTALL))
    jinja = re.sub(r"'[^'\n]*'|selfhost\.langgraph\.\w+", "", jinja)
    # Followed by a colon, the name is an option of a module, or a variable that is passed to a role.
    used = set(re.findall(rf"(?<![.\w])_{{0,2}}(?:{PREFIXES})_\w+\b(?!:)", jinja))
    assert used - own - FACTS - set(BORROWED.findall(text)) == set()


@pytest.mark.parametrize("role", ROLES)
def test_every_variable_that_is_defined_is_used(role: str) -> None:
    text = "\n".join(code(path) for path in files(role))
    others = "\n".join(code(path) for other in ROLES if other != role for path in files(other))
    # Variables that plugins read from other hosts.
    asked = re.findall(r'\.get\("(\w+)"\)', "".join(path.read_text() for path in ROOT.glob("plugins/*_utils/**/*.py")))
    playbooks = "\n".join(code(path) for path in sorted((ROOT / "playbooks").glob("*.yml")))
    shared = {*re.findall(r"\w+", playbooks), *BORROWED.findall(others), *asked}
    for name in {*load(role, "defaults/main.yml"), *load(role, "vars/main.yml")}:
        assert re.search(rf"\b{name}\b(?!:)", text) or name in shared, name


def used_variables(role: str, entry: str) -> set[str]:
    """Return the role's variables that an entry point uses: in its tasks and included files, their templates and constants."""
    directory, constants = ROOT / "roles" / role, load(role, "vars/main.yml")
    waiting, seen, text = [directory / f"tasks/{entry}.yml"], set(), ""
    while waiting:
        path = waiting.pop()
        if path in seen or not path.exists():
            continue
        seen.add(path)
        text += code(path)
        waiting += [
            directory / "tasks" / name for name in re.findall(r"_tasks:\s+(?:file: )?([\w.]+\.yml)", code(path))
        ]
        if "builtin.template:" in code(path):
            waiting += (directory / "templates").glob("*")
        if "notify:" in code(path):
            waiting.append(directory / "handlers/main.yml")
    found: set[str] = set()
    while new := set(re.findall(rf"\b_?{role}_\w+", text)) - found:
        found |= new
        text = " ".join(str(constants.get(name, "")) for name in new)
    return found & set(load(role, "defaults/main.yml"))


@pytest.mark.parametrize("role", ROLES)
def test_every_entry_point_specifies_what_it_uses_as_main_does(role: str) -> None:
    main = specs(role)["main"]["options"]
    for entry, spec in specs(role).items():
        assert used_variables(role, entry) - set(spec["options"]) == set(), entry
        assert all(spec["options"][name] == main[name] for name in spec["options"]), entry


@pytest.mark.parametrize("role", ROLES)
def test_a_default_is_defined_in_one_place(role: str) -> None:
    own = set(load(role, "defaults/main.yml"))
    assert own & set(load(role, "vars/main.yml")) == set()
    for path in files(role):
        assert own & set(BORROWED.findall(code(path))) == set(), path


PUBLIC = {name: default for role in ROLES for name, default in load(role, "defaults/main.yml").items()}
LITERAL = re.compile(rf"\b((?:{PREFIXES})_[a-z0-9_]+)\s*\| default\(('[^']*'|\d+|true|false|none|\[\]|{{}})\)")


def test_an_assumed_default_of_another_role_is_correct() -> None:
    paths = [path for role in ROLES for path in files(role)] + sorted((ROOT / "playbooks").glob("*.yml"))
    borrowed = [(path, *found) for path in paths for found in LITERAL.findall(code(path))]
    assert borrowed
    for path, name, value in borrowed:
        # A name that is no input of any role is a fact that a role sets, or the play's own.
        if name in PUBLIC and not is_template(PUBLIC[name]):
            expected = None if value == "none" else yaml.safe_load(value)
            assert expected == PUBLIC[name], f"{path}: {name}"


def table(role: str) -> t.Iterator[tuple[list[str], str]]:
    """Return the names and default of each row in the README's table of variables."""
    text = (ROOT / "roles" / role / "README.md").read_text()
    for block in re.findall(r"^\| variable \| default \|.*\n\|[-|]+\n((?:\|.*\n)+)", text, re.MULTILINE):
        for row in block.splitlines():
            names, default = row.strip("|").split(" | ")[:2]
            yield re.findall(r"`(\w+)`", names), default


@pytest.mark.parametrize("role", ROLES)
def test_the_table_of_the_readme(role: str) -> None:
    defaults, rows = load(role, "defaults/main.yml"), list(table(role))
    for names, documented in rows:
        values = re.findall(r"`([^`]+)`", documented)
        for position, name in enumerate(names):
            if values:
                assert yaml.safe_load(values[position]) == defaults[name], name
            else:  # in words, where there is none or where it is computed
                assert is_template(defaults[name]) or defaults[name] in ("", None), name
    text, named = (ROOT / "roles" / role / "README.md").read_text(), {name for names, _told in rows for name in names}
    needed = {name for name, option in specs(role)["main"]["options"].items() if option.get("required")}
    rest = f"All of them: `ansible-doc -t role selfhost.langgraph.{role}`"
    assert needed <= named
    assert named == set(defaults) or rest in text, set(defaults) - named


@pytest.mark.parametrize("role", ROLES)
def test_galaxy_metadata(role: str) -> None:
    info = load(role, "meta/main.yml")["galaxy_info"]
    assert (info["license"], info["min_ansible_version"]) == ("GPL-3.0-or-later", "2.19")
    assert info["platforms"] == [{"name": "Debian", "versions": ["bookworm", "trixie"]}]


def test_the_role_and_its_module_use_the_same_cluster() -> None:
    variables = load("postgres", "vars/main.yml")
    same = {
        "_postgres_user": cluster.USER,
        "_postgres_socket_dir": cluster.SOCKET_DIR,
        "_postgres_marker": f"{{{{ _postgres_config_dir }}}}/{cluster.MARKER}",
        "_postgres_package_settings": cluster.PACKAGE_SETTINGS,
    }
    assert {name: variables[name] for name in same} == same
    end = f"/{cluster.CLUSTER}"
    assert variables["_postgres_config_dir"].startswith(cluster.CONFIG_ROOT)
    assert variables["_postgres_config_dir"].endswith(end)


def test_claims_use_the_cluster_of_the_role() -> None:
    login = load("langgraph", "vars/main.yml")["_langgraph_postgres_login"]
    assert f"'peer_user': '{cluster.USER}'" in login
    assert f"'login_unix_socket': '{cluster.SOCKET_DIR}'" in login
    assert "'login_port': hostvars[langgraph_postgres_server]['postgres_port']" in login


@pytest.mark.parametrize("role", ROLES)
def test_the_readme_contains_only_existing_variables(role: str) -> None:
    text = (ROOT / "roles" / role / "README.md").read_text()
    named = set(re.findall(rf"`((?:{PREFIXES})_[a-z_]+)`", text))
    assert named
    assert named <= {*load(role, "defaults/main.yml"), *FACTS, "redis_db"}
    assert "untested" in text
