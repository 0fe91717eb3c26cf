# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The images that a host needs: their sources are found on the control node, and its engine is read by the module."""

from __future__ import annotations

import typing as t

import pytest
from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from ansible_collections.selfhost.langgraph.plugins.action import image_info
from ansible_collections.selfhost.langgraph.plugins.modules import image_info as module
from ansible_collections.selfhost.langgraph.plugins.plugin_utils._images.archive import ArchivedImage, ArchiveError
from ansible_collections.selfhost.langgraph.tests.unit.plugins.modules.helper import arguments

BOT, MADE, ARCHIVED = "r.example/bot:1", "r.example:5000/made:1", "archived:1"
ENGINE = {
    "images": {BOT: "sha256:1", "r.example/bot@sha256:2": "sha256:1"},
    "architecture": "amd64",
    "root": "/var/lib/docker",
    "free": 10**9,
    "certificates": {},
}
SECRET = "planted-build-argument"
GIVEN: dict[str, t.Any] = {
    "images": [{"image": name, "deployments": [name[:3]]} for name in (BOT, MADE, ARCHIVED)],
    "builds": [
        {"image": MADE, "directory": "app", "build_args": {"TOKEN": SECRET}},
        {"image": "r.example:5000/other:1", "directory": "app"},
    ],
    "archives": ["archived.tar"],
    "pull": "always",
}


class Plugin(image_info.ActionModule):
    """The action plugin outside of a play; ``asked`` are the calls of modules."""

    def __init__(self, options: dict[str, t.Any], answer: dict[str, t.Any]) -> None:
        self.options, self.answer = options, answer
        self.asked: list[dict[str, t.Any]] = []

    def validate_argument_spec(self, argument_spec: t.Any = None, **_more: t.Any) -> t.Any:
        return None, self.options

    def _execute_module(self, **call: t.Any) -> dict[str, t.Any]:
        self.asked.append(call)
        return self.answer


@pytest.fixture(autouse=True)
def control_node(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the control node have one archive."""

    def images_in(path: str) -> dict[str, ArchivedImage]:
        if path != "/inventory/archived.tar":
            raise ArchiveError(f"image_archives: there is no file '{path}'")
        return {ARCHIVED: ArchivedImage("sha256:5", "amd64", "config", (), "content:5")}

    monkeypatch.setattr(ActionBase, "run", lambda *_arguments: {})
    monkeypatch.setattr(image_info, "refuse_out_of_step", lambda _action: None)
    monkeypatch.setattr(
        image_info, "find_files", lambda _action, paths, _vars: [f"/inventory/{path}" for path in paths]
    )
    monkeypatch.setattr(image_info, "archive_images", images_in)


def test_sources_and_what_the_host_has() -> None:
    plugin = Plugin(GIVEN, {"engine": ENGINE})
    found = plugin.run(task_vars={})
    assert [(need["image"], need["source"], need["on_host"]) for need in found["images"]] == [
        (BOT, "registry", "sha256:1"),
        (MADE, "build", None),
        (ARCHIVED, "archive", None),
    ]
    assert found["engine"] == ENGINE
    # Images that the host does not need are not pushed.
    assert found["pushes"] == [{"image": MADE, "deployments": ["r.e"], "optional": True}]


def test_the_module_gets_only_the_names_to_identify() -> None:
    plugin = Plugin(GIVEN, {"engine": ENGINE})
    found = plugin.run(task_vars={})
    (call,) = plugin.asked
    assert call["module_args"] == {"identify": [ARCHIVED, MADE, "r.example:5000/other:1"]}
    assert SECRET not in f"{plugin.asked}{found}"


@pytest.mark.parametrize(
    ("given", "engine", "line"),
    [
        ({"pull": "never", "images": [{"image": "no:1", "deployments": ["x"]}]}, {}, "the host has no image 'no:1'"),
        ({}, {"architecture": "arm64"}, "'archived:1' is built for amd64, but the host is arm64"),
        ({"builds": [{"image": "x"}]}, {}, "image_builds entry 1, option 'directory': is missing"),
    ],
)
def test_an_image_that_the_host_cannot_get(given: dict[str, t.Any], engine: dict[str, t.Any], line: str) -> None:
    found = Plugin({**GIVEN, **given}, {"engine": {**ENGINE, **engine}}).run(task_vars={})
    assert found["failed"]
    assert line in found["msg"].splitlines()[0]
    assert len(found["problems"]) == len(found["msg"].splitlines())


def test_an_archive_that_does_not_exist() -> None:
    with pytest.raises(AnsibleActionFail, match="there is no file '/inventory/none.tar'"):
        Plugin({**GIVEN, "archives": ["none.tar"]}, {"engine": ENGINE}).run(task_vars={})


def test_an_error_of_the_module_is_returned() -> None:
    failure = {"failed": True, "msg": "unreachable"}
    assert Plugin(GIVEN, failure).run(task_vars={}) == failure


def test_the_action_has_the_options_of_the_module() -> None:
    assert module.main
    spec = arguments("image_info")
    # Only the action plugin sets the last one.
    assert list(spec) == [*image_info.ARGUMENTS, "identify"]
    assert {name: spec[name] for name in image_info.ARGUMENTS} == image_info.ARGUMENTS
