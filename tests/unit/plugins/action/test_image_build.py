# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The sources of an image: every file in the build context, with its mode, and the build options."""

from __future__ import annotations

import os
import shutil
import typing as t
from pathlib import Path

import pytest
from ansible.errors import AnsibleActionFail

from ansible_collections.selfhost.langgraph.plugins.action.image_build import (
    _check_keep,
    _wanted,
    built_here,
    context,
    source_hash,
)
from ansible_collections.selfhost.langgraph.plugins.module_utils._host import docker_engine

FILES = {
    "langgraph.json": "{}",
    "src/agent.py": "graph = 1\n",
    "src/deep/data.txt": "data\n",
    ".env": "KEY=value\n",
    "node_modules/x/index.js": "1\n",
    ".git/HEAD": "ref\n",
    "notes.md": "notes\n",
    "run.sh": "#!/bin/sh\n",
    "same.sh": "#!/bin/sh\n",
    "#odd": "no comment\n",
}
IGNORED = "node_modules\n#odd\n\n  .git/  \n*.md\n.env\nsrc/deep\n!src/deep/data.txt\n"


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """Return an application that ignores some of its files."""
    app = tmp_path / "app"
    for name, text in {**FILES, ".dockerignore": IGNORED}.items():
        (app / name).parent.mkdir(parents=True, exist_ok=True)
        (app / name).write_text(text)
    (app / "link").symlink_to("run.sh")
    (app / "folder-link").symlink_to("src")
    (app / "empty").mkdir()
    return app


def hashed(directory: Path, **options: t.Any) -> str:
    return source_hash({"directory": str(directory), "image": "bot:1", **options})


def test_context(directory: Path) -> None:
    assert context(str(directory)) == [
        "#odd",
        ".dockerignore",
        "empty",
        "folder-link",
        "langgraph.json",
        "link",
        "run.sh",
        "same.sh",
        "src",
        "src/agent.py",
        "src/deep/data.txt",
    ]


def test_without_a_dockerignore_every_file_counts(directory: Path) -> None:
    (directory / ".dockerignore").unlink()
    assert set(FILES) < set(context(str(directory)))


def test_a_dockerignore_with_a_byte_order_mark(directory: Path) -> None:
    """Docker also drops it (docs: .dockerignore, byte order mark)."""
    expected = context(str(directory))
    (directory / ".dockerignore").write_bytes(b"\xef\xbb\xbf" + IGNORED.replace("\n", "\r\n").encode())
    assert context(str(directory)) == expected


def test_a_link_to_a_directory_is_not_followed(directory: Path) -> None:
    """It may point outside the directory, or form a cycle."""
    (directory / "src/circle").symlink_to("..")
    assert [path for path in context(str(directory)) if "circle" in path] == ["src/circle"]


def test_an_unchanged_directory_has_the_same_hash(directory: Path, tmp_path: Path) -> None:
    before = hashed(directory)
    assert hashed(directory) == before
    os.utime(directory / "run.sh", (1, 1))
    assert hashed(directory) == before
    shutil.copytree(directory, tmp_path / "elsewhere", symlinks=True)
    assert hashed(tmp_path / "elsewhere") == before


def rename(path: Path) -> None:
    path.rename(path.with_name("other.sh"))


def relink(path: Path) -> None:
    path.unlink()
    path.symlink_to("same.sh")


def follow(path: Path) -> None:
    """Replace the link with a file of the same content."""
    text = path.read_text()
    path.unlink()
    path.write_text(text)


CHANGES: dict[str, tuple[str, t.Callable[[Path], object]]] = {
    "content": ("src/agent.py", lambda path: path.write_text("graph = 2\n")),
    "mode": ("run.sh", lambda path: path.chmod(0o755)),
    "mode of a directory": ("src", lambda path: path.chmod(0o700)),
    "name": ("run.sh", rename),
    "gone": ("run.sh", lambda path: path.unlink()),
    "new": ("src/new.py", lambda path: path.write_text("")),
    "new and empty directory": ("src/new", lambda path: path.mkdir()),
    "link leads elsewhere": ("link", relink),
    "link becomes a file": ("link", follow),
    "ignored but for this": ("src/deep/data.txt", lambda path: path.write_text("other\n")),
    "what is ignored": (".dockerignore", lambda path: path.write_text("node_modules\n")),
}


@pytest.mark.parametrize("title", CHANGES)
def test_a_changed_file_changes_the_hash(title: str, directory: Path) -> None:
    name, change = CHANGES[title]
    before = hashed(directory)
    change(directory / name)
    assert hashed(directory) != before


@pytest.mark.parametrize("name", [".env", "notes.md", "node_modules/x/index.js", ".git/HEAD", "src/deep/more.txt"])
def test_an_ignored_file_does_not_change_the_hash(name: str, directory: Path) -> None:
    before = hashed(directory)
    (directory / name).write_text("something else\n")
    (directory / name).chmod(0o600)
    assert hashed(directory) == before


def test_names_and_contents_are_separated(directory: Path) -> None:
    """Two files whose concatenated names and contents are equal."""
    seen = set()
    for one, other in (("ab", "c"), ("a", "bc"), ("abc", "")):
        (directory / "x").write_text(one)
        (directory / "y").write_text(other)
        seen.add(hashed(directory))
    assert len(seen) == 3


OPTIONS = {
    "config": "deploy/langgraph.json",
    "base_image": "r.example/base:1",
    "api_version": "0.7.1",
    "network": "none",
    "build_args": {"A": "1"},
}


@pytest.mark.parametrize("option", OPTIONS)
def test_an_option_that_changes_the_image_changes_the_hash(option: str, directory: Path) -> None:
    assert hashed(directory, **{option: OPTIONS[option]}) != hashed(directory)


def test_the_order_of_build_arguments_does_not_matter(directory: Path) -> None:
    one, other = {"A": "1", "B": "2"}, {"B": "2", "A": "1"}
    assert hashed(directory, build_args=one) == hashed(directory, build_args=other)


@pytest.mark.parametrize(
    "more",
    [{"image": "other:1"}, {"pull": False}, {"build_secrets": {"A": "1"}}, {"readable_build_args": ["A"]}],
    ids=str,
)
def test_an_option_that_does_not_change_the_image_does_not_change_the_hash(
    more: dict[str, t.Any], directory: Path
) -> None:
    assert hashed(directory, **more) == hashed(directory)


def test_a_file_name_in_another_encoding_is_accepted(directory: Path) -> None:
    path = os.path.join(os.fsencode(directory), b"\xff")
    try:
        with open(path, "wb") as file:
            file.write(b"x")
    except OSError:
        pytest.skip("the file system takes names in UTF-8 alone")
    (directory / "odd").symlink_to(os.fsdecode(b"\xff"))
    before = hashed(directory)
    assert hashed(directory) == before


class Engine:
    """An engine with these images: name -> hash of its sources."""

    def __init__(self, sources: dict[str, str]) -> None:
        self.sources = sources

    def inspect_image(self, name: str) -> dict[str, t.Any]:
        if name not in self.sources:
            raise docker_engine.docker.errors.NotFound("no such image")
        return {"Id": f"sha256:{name}", "Config": {"Labels": {"selfhost.langgraph.source": self.sources[name]}}}


BUILDS = [{"image": "bot:1", "source": "a"}, {"image": "other:1", "source": "b"}]


@pytest.mark.parametrize(
    ("sources", "whole"),
    [
        ({"bot:1": "a", "other:1": "b"}, True),
        ({"bot:1": "a", "other:1": "a"}, False),
        ({"bot:1": "a"}, False),
        ({}, False),
    ],
    ids=str,
)
def test_no_module_call_if_all_images_are_built(
    sources: dict[str, str], whole: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(docker_engine, "connect", lambda: Engine(sources))
    found = built_here(BUILDS)
    assert (found is not None) == whole
    if found:
        assert {name: (image["action"], image["image_id"]) for name, image in found.items()} == {
            "bot:1": ("keep", "sha256:bot:1"),
            "other:1": ("keep", "sha256:other:1"),
        }


def test_the_module_reports_problems_with_the_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    def connect() -> t.NoReturn:
        raise docker_engine.EngineError("it does not answer")

    monkeypatch.setattr(docker_engine, "connect", connect)
    assert built_here(BUILDS) is None


LISTED = [
    {
        "image": "docker.io/library/bot:1",
        "directory": "app",
        "merge_env": True,
        "push": False,
        "build_args": {"A": "x"},
    },
    {"image": "other:1", "directory": "other", "api_version": "0.7.1"},
]


def test_only_the_wanted_builds_with_the_options_of_the_module() -> None:
    """The list is that of the role, with two options that do not concern a build."""
    (found,) = _wanted(LISTED, ["bot:1", "from-a-registry:1"])
    assert found["image"] == "docker.io/library/bot:1"
    assert found["build_args"] == {"A": "x"}
    assert found.keys() & {"merge_env", "push", "label", "api_version"} == set()
    assert [build["image"] for build in _wanted(LISTED, None)] == ["docker.io/library/bot:1", "other:1"]
    assert _wanted(LISTED, []) == []


def test_mistakes_in_the_list_are_reported_together() -> None:
    with pytest.raises(AnsibleActionFail) as refused:
        _wanted([{"image": "bot:1"}, {"image": "bot", "directory": "app"}], [])
    assert [line.partition(":")[0] for line in str(refused.value).splitlines()] == [
        "image_builds entry 1, option 'directory'",
        "image_builds entry 2, option 'image'",
    ]


@pytest.mark.parametrize("keep", [0, -1, "0", "many", None])
def test_a_number_of_builds_that_is_refused(keep: t.Any) -> None:
    with pytest.raises(AnsibleActionFail, match=f"option 'keep': '{keep}' is not a number of builds; write 1 or more"):
        _check_keep(keep)


@pytest.mark.parametrize("keep", [1, "5"])
def test_a_number_of_builds_that_is_accepted(keep: t.Any) -> None:
    _check_keep(keep)
