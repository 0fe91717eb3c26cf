# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whatever the hosts have, the plan brings the same image to every host, and a second plan is empty."""

from __future__ import annotations

import typing as t

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.selfhost.langgraph.plugins.module_utils._common.image_reference import (
    normal_reference,
    repository_of,
)
from ansible_collections.selfhost.langgraph.plugins.plugin_utils._images.archive import ArchivedImage
from ansible_collections.selfhost.langgraph.plugins.plugin_utils._images.plan import (
    NOT_BUILT,
    listed_images,
    make_needs,
    megabytes,
    need_problems,
    plan_images,
    to_resolve,
    wanted_images,
)

GB = 10**9
BARE: dict[str, t.Any] = {"deployments": [], "images": {}}


def image_id(number: int) -> str:
    return f"sha256:{number:064x}"


def content(number: int) -> str:
    return f"content:{number:064x}"


def digest(image: str, number: int) -> str:
    """Return the name of an image in a registry; it differs from its id."""
    return f"{repository_of(image)}@sha256:{number + 256:064x}"


def archived(number: int, architecture: str = "amd64") -> ArchivedImage:
    return ArchivedImage(image_id(number), architecture, "config", (), content(number))


def deployments(**images: str) -> list[dict[str, t.Any]]:
    """Return the images that deployments want, by the deployment's name."""
    return [{"deployments": [name], "image": image} for name, image in images.items()]


def need(image: str, source: str, on_host: int | None = None, **more: t.Any) -> dict[str, t.Any]:
    """Return the need of a host that has ``on_host`` under that name, with digests if a registry is the source."""
    digests = [digest(image, on_host)] if source == "registry" and on_host is not None else []
    here = None if on_host is None else image_id(on_host)
    return {"image": image, "deployments": ["bot"], "source": source, "on_host": here, "digests": digests, **more}


# Needs of one host


ARCHIVES = {"/x/a.tar": {"archived:1": archived(5), "archived:latest": archived(5)}, "/x/b.tar": {"b:1": archived(6)}}
SOURCES = {
    ("built:1", "always"): "build",
    ("docker.io/library/built:1", "always"): "build",
    ("built:1", "never"): "build",
    ("archived:1", "always"): "archive",
    ("archived", "never"): "archive",
    ("b:1", "missing"): "archive",
    ("b:2", "missing"): "registry",
    ("r.example/x:1", "always"): "registry",
    (digest("x", 1), "always"): "registry",
    ("r.example/x:1", "never"): "host",
    (image_id(1), "always"): "host",
    (image_id(1), "never"): "host",
}


@pytest.mark.parametrize(("image", "pull"), SOURCES)
def test_source_of_an_image(image: str, pull: str) -> None:
    (found,) = make_needs(deployments(bot=image), ["built:1"], ARCHIVES, {}, pull)
    assert found["source"] == SOURCES[image, pull]
    assert (found["image"], found["on_host"], found["digests"]) == (image, None, [])


def serving(image: str, number: int, image_digest: str | None = None) -> dict[str, t.Any]:
    """Return a deployment as deployment_info reports it, with a failed newer revision."""
    revision = {"number": 3, "image": image, "image_id": image_id(number), "image_digest": image_digest}
    return {
        "name": "bot",
        "serving": 3,
        "last": 3,
        "revisions": [{**revision, "number": 4, "image": "other:1"}, revision],
    }


LISTED = {"name": "bot", "image": "bot:1", "state": "present"}
KEPT: dict[str, tuple[dict[str, t.Any], str]] = {
    "was built or copied": (serving("docker.io/library/bot:1", 1), "host"),
    "was pulled": (serving("bot:1", 1, digest("bot", 1)), "registry"),
    "now has another id on the host": (serving("bot:1", 2), "registry"),
    "another name serves": (serving("bot:2", 1), "registry"),
    "nothing serves": ({"name": "bot", "serving": None, "last": None, "revisions": []}, "registry"),
    "it is stopped": ({**serving("bot:1", 1), "serving": None}, "host"),
    "the files of the serving revision are missing": (
        {"name": "bot", "serving": 9, "last": 9, "revisions": []},
        "registry",
    ),
}


@pytest.mark.parametrize(("deployment", "source"), KEPT.values(), ids=KEPT)
def test_an_unchanged_image_that_came_from_no_registry_is_not_looked_up(deployment: t.Any, source: str) -> None:
    on_host = {"bot:1": image_id(1)}
    wanted = wanted_images([LISTED], {"deployments": [deployment], "images": on_host})
    (found,) = make_needs(wanted, [], {}, on_host, "always")
    assert found["source"] == source


def test_such_an_image_that_the_host_has_lost_is_looked_up() -> None:
    wanted = wanted_images([LISTED], {"deployments": [serving("bot:1", 1)], "images": {}})
    (found,) = make_needs(wanted, [], {}, {}, "always")
    assert found["source"] == "registry"


def test_such_an_image_that_is_built_again_comes_from_the_build() -> None:
    (found,) = make_needs([{**deployments(bot="bot:1")[0], "pull": False}], ["bot:1"], {}, {}, "always")
    assert found["source"] == "build"


def test_a_build_takes_precedence_over_an_archive() -> None:
    (found,) = make_needs(deployments(bot="b:1"), ["b:1"], ARCHIVES, {}, "always")
    assert found["source"] == "build"


def test_a_need_has_the_contents_of_its_archive() -> None:
    (found,) = make_needs(deployments(bot="docker.io/library/b:1"), [], ARCHIVES, {}, "always")
    assert {key: found[key] for key in ("archive", "archive_id", "architecture", "content")} == {
        "archive": "/x/b.tar",
        "archive_id": image_id(6),
        "architecture": "amd64",
        "content": content(6),
    }


def test_each_image_once_in_any_spelling() -> None:
    """Loading one twice would fail the second time, because its parts are gone."""
    wanted = deployments(one="archived", two="archived:latest", three="other:1", four="docker.io/library/archived")
    found = make_needs(wanted, [], ARCHIVES, {}, "always")
    assert [(item["image"], item["deployments"]) for item in found] == [
        ("archived", ["one", "two", "four"]),
        ("other:1", ["three"]),
    ]


def test_absent_deployments_want_nothing() -> None:
    listed = [{"name": "gone", "image": "", "state": "stopped"}, {"name": "bot", "image": "x:1", "state": "present"}]
    assert wanted_images(listed, BARE) == deployments(bot="x:1")


def test_a_wanted_image_has_the_names_of_its_deployments_and_its_directory_each_once() -> None:
    """The role image builds it from there."""
    one, two = (
        {**LISTED, "build": None},
        {**LISTED, "name": "two", "image": "docker.io/library/bot:1", "build": "./app"},
    )
    assert wanted_images([one, two], BARE) == [{"image": "bot:1", "deployments": ["bot", "two"], "build": "./app"}]


def test_an_image_that_no_deployment_names() -> None:
    """The role can be used alone."""
    wanted = [{"image": "x:1", "deployments": []}]
    needs = make_needs(wanted, [], {}, {}, "never")
    assert [str(problem) for problem in need_problems(needs, "amd64")] == [
        "deployment '-', option 'image': the host has no image 'x:1'; load it there, list its archive in image_archives or its "
        "directory in image_builds, or set image_pull: always"
    ]
    assert list(need_problems(make_needs(wanted, [], {}, {"x:1": image_id(1)}, "never"), "amd64")) == []


def test_an_id_that_the_host_lacks() -> None:
    (problem,) = need_problems(make_needs(deployments(bot=image_id(1)), [], {}, {}, "always"), "amd64")
    assert problem.finding == "the host has no image '000000000000', and an image cannot be pulled by id"


def test_the_wanted_images_are_not_changed() -> None:
    wanted = deployments(one="x:1", two="docker.io/library/x:1")
    make_needs(wanted, [], {}, {}, "always")
    assert wanted == deployments(one="x:1", two="docker.io/library/x:1")


def test_images_of_that_name_on_the_host() -> None:
    on_host = {
        "x:1": image_id(1),
        image_id(1): image_id(1),
        digest("x", 1): image_id(1),
        digest("r.example/x", 1): image_id(1),
        digest("x-2", 1): image_id(1),
        digest("x", 2): image_id(2),
        "y:1": image_id(3),
    }
    (found,) = make_needs(deployments(bot="docker.io/x:1"), [], {}, on_host, "always")
    # Older ones too: a download skips the layers that it shares with them.
    assert (found["on_host"], found["digests"]) == (image_id(1), [digest("x", 1), digest("x", 2)])
    (found,) = make_needs(deployments(bot="y:1"), [], {}, on_host, "always")
    assert (found["on_host"], found["digests"]) == (image_id(3), [])
    (found,) = make_needs(deployments(bot="z:1"), [], {}, on_host, "always")
    assert (found["on_host"], found["digests"]) == (None, [])


@pytest.mark.parametrize(("made_for", "host", "refused"), [("arm64", "amd64", True), ("amd64", "amd64", False)])
def test_an_archive_for_another_architecture(made_for: str, host: str, refused: bool) -> None:
    wanted = make_needs(deployments(bot="b:1"), [], {"b.tar": {"b:1": archived(1, made_for)}}, {}, "always")
    assert [str(problem) for problem in need_problems(wanted, host)] == refused * [
        "deployment 'bot', option 'image': 'b:1' is built for arm64, but the host is amd64; build it for amd64"
    ]
    # An archive without an architecture and a host with an unknown one are accepted.
    silent = make_needs(deployments(bot="b:1"), [], {"b.tar": {"b:1": archived(1, "")}}, {}, "always")
    assert list(need_problems(silent, host)) == list(need_problems(wanted, None)) == []


# Images to resolve in registries


TAG, BY_DIGEST = "r.example/x:1", digest("r.example/x", 1)
ONE, TWO = digest(TAG, 1), digest(TAG, 2)
# Images on the hosts -> whether registries are queried with always and with missing, and the digests that all hosts have.
ASKED: dict[str, tuple[str, list[int | None], bool, bool, list[str]]] = {
    "one host has it": (TAG, [1], True, False, [ONE]),
    "one host lacks it": (TAG, [None], True, True, []),
    "all have the same": (TAG, [1, 1, 1], True, False, [ONE]),
    "they differ": (TAG, [1, 1, 2], True, True, []),
    "one lacks it": (TAG, [1, None], True, True, []),
    "all lack it": (TAG, [None, None], True, True, []),
    "a digest that all have": (BY_DIGEST, [1, 1], False, False, [ONE]),
    "a digest that one lacks": (BY_DIGEST, [1, None], True, True, []),
    "a digest that all lack": (BY_DIGEST, [None], True, True, []),
}


@pytest.mark.parametrize("pull", ["always", "missing"])
@pytest.mark.parametrize("title", ASKED)
def test_to_resolve(title: str, pull: str) -> None:
    image, here, always, missing, known = ASKED[title]
    found = to_resolve([[need(image, "registry", number)] for number in here], pull)
    asked = always if pull == "always" else missing
    assert found == asked * [{"image": image, "deployments": ["bot"], "known": known}]


@pytest.mark.parametrize("source", ["build", "archive", "host"])
def test_only_images_from_a_registry_are_resolved(source: str) -> None:
    assert to_resolve([[need("x:1", source)]], "always") == []


def test_each_image_is_resolved_once_for_all_hosts() -> None:
    one = [need("x:1", "registry", deployments=["a", "b"]), need("y:1", "registry")]
    two = [need("x:1", "registry", deployments=["b", "c"])]
    found = to_resolve([one, two, []], "always")
    assert [(item["image"], item["deployments"]) for item in found] == [("x:1", ["a", "b", "c"]), ("y:1", ["bot"])]
    assert to_resolve([], "always") == []


def test_an_image_in_several_spellings_is_one() -> None:
    hosts = [[need("x", "registry", 1)], [need("docker.io/library/x:latest", "registry", 2)]]
    (asked,) = to_resolve(hosts, "missing")
    assert asked["image"] == "x"
    for needs in hosts:
        found = plan_images(needs, hosts, engine({}), {"x": answer("x", 3)}, {})
        assert found["ids"] == {needs[0]["image"]: digest("x", 3)}
    local = [[need("h", "host", 1)], [need("h:latest", "host", 2)]]
    assert "have different images" in plan_images(local[0], local, engine({}), {}, {})["problems"][0]


def test_the_needs_of_hosts_are_not_changed() -> None:
    """The same lists are used again for the plan of each host."""
    hosts = [[need(TAG, "registry", 1)], [need(TAG, "registry", 2)]]
    to_resolve(hosts, "always")
    assert hosts == [[need(TAG, "registry", 1)], [need(TAG, "registry", 2)]]


# Images that one host lacks


EMPTY: dict[str, t.Any] = {"ids": {}, "pull": [], "tag": [], "load": [], "save": [], "problems": []}


def engine(images: dict[str, int], **more: t.Any) -> dict[str, t.Any]:
    """Return an engine with images by name; it also knows each by its id."""
    numbers = {**images, **{image_id(number): number for number in images.values()}}
    ids = {name: image_id(number) for name, number in numbers.items()}
    return {"images": ids, "architecture": "amd64", "root": "/var/lib/docker", "free": 100 * GB, **more}


def answer(
    image: str, number: int, size: int | None = GB, architectures: t.Sequence[str] = ("amd64",)
) -> dict[str, t.Any]:
    return {"digest": digest(image, number), "size": size, "architectures": list(architectures)}


def plan(item: dict[str, t.Any], images: dict[str, int], **more: t.Any) -> dict[str, t.Any]:
    """Return the plan of a single host, without empty entries."""
    given: dict[str, t.Any] = {"resolved": {}, "built": {}, "hosts": [[item]], **more}
    engine_ = given.get("engine") or engine(images)
    found = plan_images([item], given["hosts"], engine_, given["resolved"], given["built"])
    assert list(found) == list(EMPTY)
    return {key: value for key, value in found.items() if value}


RESOLVED = {TAG: answer(TAG, 2)}
NAMED = [{"image": TWO, "name": TAG}]
# The need, the images on the host, the resolved or built images, and the plan.
PLANS: dict[str, tuple[dict[str, t.Any], dict[str, int], dict[str, t.Any], dict[str, t.Any]]] = {
    "registry: not there": (
        need(TAG, "registry"),
        {},
        {"resolved": RESOLVED},
        {"ids": {TAG: TWO}, "pull": [TWO], "tag": NAMED},
    ),
    "registry: an older one is there": (
        need(TAG, "registry", 1),
        {TAG: 1, ONE: 1},
        {"resolved": RESOLVED},
        {"ids": {TAG: TWO}, "pull": [TWO], "tag": NAMED},
    ),
    "registry: there under another name": (
        need(TAG, "registry", 1),
        {TAG: 1, ONE: 1, TWO: 2},
        {"resolved": RESOLVED},
        {"ids": {TAG: image_id(2)}, "tag": NAMED},
    ),
    "registry: there": (
        need(TAG, "registry", 2),
        {TAG: 2, TWO: 2},
        {"resolved": RESOLVED},
        {"ids": {TAG: image_id(2)}},
    ),
    "registry: not asked": (need(TAG, "registry", 1), {TAG: 1}, {}, {"ids": {TAG: image_id(1)}}),
    "registry: asked for under its long name": (
        need("docker.io/library/x:1", "registry"),
        {},
        {"resolved": {"docker.io/library/x:1": answer("x:1", 2)}},
        {
            "ids": {"docker.io/library/x:1": digest("x", 2)},
            "pull": [digest("x", 2)],
            "tag": [{"image": digest("x", 2), "name": "x:1"}],
        },
    ),
    "digest: not there": (
        need(BY_DIGEST, "registry"),
        {},
        {"resolved": {BY_DIGEST: answer(TAG, 1)}},
        {"ids": {BY_DIGEST: ONE}, "pull": [ONE]},
    ),
    "digest: there": (
        need(BY_DIGEST, "registry", 1),
        {BY_DIGEST: 1},
        {"resolved": {BY_DIGEST: answer(TAG, 1)}},
        {"ids": {BY_DIGEST: image_id(1)}},
    ),
    "archive: not there": (
        need("a:1", "archive", archive="/a.tar", archive_id=image_id(5), content=content(5), architecture="amd64"),
        {},
        {},
        {
            "ids": {"a:1": image_id(5)},
            "load": [{"archive": "/a.tar", "image": "a:1", "deployments": ["bot"]}],
        },
    ),
    "archive: an older one is there": (
        need("a", "archive", 4, archive="/a.tar", archive_id=image_id(5), content=content(5), architecture=""),
        {"a:latest": 4},
        {},
        {
            "ids": {"a": image_id(5)},
            "load": [{"archive": "/a.tar", "image": "a:latest", "deployments": ["bot"]}],
        },
    ),
    "archive: there under another name": (
        need("a:1", "archive", archive="/a.tar", archive_id=image_id(5), content=content(5), architecture="amd64"),
        {"b:1": 5},
        {},
        {"ids": {"a:1": image_id(5)}, "tag": [{"image": image_id(5), "name": "a:1"}]},
    ),
    "archive: there": (
        need("a:1", "archive", 5, archive="/a.tar", archive_id=image_id(5), content=content(5), architecture="amd64"),
        {"a:1": 5},
        {},
        {"ids": {"a:1": image_id(5)}},
    ),
    "archive: there, as another store calls it": (
        need("a:1", "archive", 9, archive="/a.tar", archive_id=image_id(5), content=content(5), architecture="amd64"),
        {"a:1": 9, content(5): 9},
        {},
        {"ids": {"a:1": image_id(9)}},
    ),
    "build: there, as another store calls it": (
        need("b:1", "build", 9),
        {"b:1": 9, content(7): 9},
        {"built": {"b:1": {"image_id": image_id(7), "content": content(7), "architecture": "amd64"}}},
        {"ids": {"b:1": image_id(9)}},
    ),
    "build: under another name, as another store calls it": (
        need("b:1", "build"),
        {"c:1": 9, content(7): 9},
        {"built": {"b:1": {"image_id": image_id(7), "content": content(7), "architecture": "amd64"}}},
        {"ids": {"b:1": image_id(9)}, "tag": [{"image": image_id(9), "name": "b:1"}]},
    ),
    "build: another one is there, in another store": (
        need("b:1", "build", 9),
        {"b:1": 9, content(8): 9},
        {"built": {"b:1": {"image_id": image_id(7), "content": content(7), "architecture": "amd64"}}},
        {"ids": {"b:1": image_id(7)}, "save": [{"image": "b:1", "deployments": ["bot"]}]},
    ),
    "build: not there": (
        need("b:1", "build"),
        {},
        {"built": {"b:1": {"image_id": image_id(7), "architecture": "amd64"}}},
        {"ids": {"b:1": image_id(7)}, "save": [{"image": "b:1", "deployments": ["bot"]}]},
    ),
    "build: written in full": (
        need("docker.io/library/b:1", "build"),
        {},
        {"built": {"b:1": {"image_id": image_id(7), "architecture": "amd64"}}},
        {"ids": {"docker.io/library/b:1": image_id(7)}, "save": [{"image": "b:1", "deployments": ["bot"]}]},
    ),
    "build: an older one is there": (
        need("b:1", "build", 6),
        {"b:1": 6},
        {"built": {"b:1": {"image_id": image_id(7), "architecture": "amd64"}}},
        {"ids": {"b:1": image_id(7)}, "save": [{"image": "b:1", "deployments": ["bot"]}]},
    ),
    "build: there under another name": (
        need("b:1", "build"),
        {"other:1": 7},
        {"built": {"b:1": {"image_id": image_id(7), "architecture": "amd64"}}},
        {"ids": {"b:1": image_id(7)}, "tag": [{"image": image_id(7), "name": "b:1"}]},
    ),
    "build: there": (
        need("b:1", "build", 7),
        {"b:1": 7},
        {"built": {"b:1": {"image_id": image_id(7), "architecture": "amd64"}}},
        {"ids": {"b:1": image_id(7)}},
    ),
    "build: not built yet, as in check mode": (
        need("b:1", "build", 6),
        {"b:1": 6},
        {"built": {"b:1": {"image_id": None, "architecture": None}}},
        {"ids": {"b:1": NOT_BUILT}},
    ),
    "build: nothing is known of it": (need("b:1", "build"), {}, {}, {"ids": {"b:1": NOT_BUILT}}),
    "build: pushed": (
        need("r.example/x:1", "build"),
        {},
        {"resolved": RESOLVED, "built": {TAG: {"image_id": image_id(9), "architecture": "amd64"}}},
        {"ids": {TAG: TWO}, "pull": [TWO], "tag": NAMED},
    ),
    "build: pushed, and there": (
        need("r.example/x:1", "build", 2),
        {TAG: 2, TWO: 2},
        {"resolved": RESOLVED, "built": {TAG: {"image_id": image_id(2), "architecture": "amd64"}}},
        {"ids": {TAG: image_id(2)}},
    ),
    "host: there": (need("h:1", "host", 3), {"h:1": 3}, {}, {"ids": {"h:1": image_id(3)}}),
    "host: by its id": (need(image_id(3), "host", 3), {"h:1": 3}, {}, {"ids": {image_id(3): image_id(3)}}),
    "host: not there, which is a problem": (need("h:1", "host"), {}, {}, {}),
}


@pytest.mark.parametrize("title", PLANS)
def test_plan(title: str) -> None:
    item, images, known, expected = PLANS[title]
    assert plan(item, images, **known) == expected


LINE = "deployment 'bot', option 'image': "
WRONG: dict[str, tuple[dict[str, t.Any], dict[str, t.Any], list[str]]] = {
    "registry: another machine": (
        need(TAG, "registry"),
        {"resolved": {TAG: answer(TAG, 2, architectures=["arm64", "s390x"])}},
        [f"'{TAG}' is built for arm64, s390x, but the host is amd64; build it for amd64"],
    ),
    "registry: there already, for another machine": (
        need(TAG, "registry", 2),
        {"resolved": {TAG: answer(TAG, 2, architectures=["arm64"])}, "engine": engine({TAG: 2, TWO: 2})},
        [f"'{TAG}' is built for arm64, but the host is amd64; build it for amd64"],
    ),
    "registry: this one among others": (
        need(TAG, "registry"),
        {"resolved": {TAG: answer(TAG, 2, architectures=["arm64", "amd64"])}},
        [],
    ),
    "registry: it does not say": (need(TAG, "registry"), {"resolved": {TAG: answer(TAG, 2, architectures=[])}}, []),
    "build: another machine": (
        need("b:1", "build"),
        {"built": {"b:1": {"image_id": image_id(7), "architecture": "arm64"}}},
        ["'b:1' is built for arm64, but the host is amd64; build it for amd64"],
    ),
    "archive: another machine": (
        need("a:1", "archive", archive="/a.tar", archive_id=image_id(5), content=content(5), architecture="arm64"),
        {},
        ["'a:1' is built for arm64, but the host is amd64; build it for amd64"],
    ),
    "nothing is known of the host": (
        need("b:1", "build"),
        {
            "built": {"b:1": {"image_id": image_id(7), "architecture": "arm64"}},
            "engine": engine({}, architecture="", free=None),
        },
        [],
    ),
    "host: others have another one": (
        need("h:1", "host", 3),
        {"hosts": [[need("h:1", "host", 3)], [need("h:1", "host", 4)], [need("h:1", "host", 3)]]},
        [
            "hosts of this play have different images with the name 'h:1': 000000000000 and 000000000000; "
            "use an archive, a registry, or its id"
        ],
    ),
    "host: others have none": (
        need("h:1", "host", 3),
        {"hosts": [[need("h:1", "host", 3)], [need("h:1", "host")]]},
        [
            "hosts of this play have different images with the name 'h:1': 000000000000 and none; "
            "use an archive, a registry, or its id"
        ],
    ),
    "host: others need it not": (
        need("h:1", "host", 3),
        {"hosts": [[need("h:1", "host", 3)], [need("other:1", "host", 4)], []]},
        [],
    ),
    "registry: hosts differ, which the registry settles": (
        need(TAG, "registry", 1),
        {"hosts": [[need(TAG, "registry", 1)], [need(TAG, "registry", 2)]], "resolved": RESOLVED},
        [],
    ),
    "no space": (
        need(TAG, "registry"),
        {"resolved": {TAG: answer(TAG, 2, size=GB)}, "engine": engine({}, free=4 * GB - 1)},
        [
            "pulling it requires about 4.0 GB, but the host has 4.0 GB free in /var/lib/docker; "
            "free some space or enlarge the disk"
        ],
    ),
    "no space at all": (
        need(TAG, "registry"),
        {"resolved": {TAG: answer(TAG, 2, size=10**6)}, "engine": engine({}, free=0)},
        [
            "pulling it requires about 4.0 MB, but the host has 0.0 kB free in /var/lib/docker; "
            "free some space or enlarge the disk"
        ],
    ),
    "just enough space": (
        need(TAG, "registry"),
        {"resolved": {TAG: answer(TAG, 2, size=GB)}, "engine": engine({}, free=4 * GB)},
        [],
    ),
    "what is there needs no space": (
        need(TAG, "registry"),
        {"resolved": {TAG: answer(TAG, 2)}, "engine": engine({TWO: 2}, free=0)},
        [],
    ),
    "size is not known": (
        need(TAG, "registry"),
        {"resolved": {TAG: answer(TAG, 2, size=None)}, "engine": engine({}, free=0)},
        [],
    ),
    "space is not known": (
        need(TAG, "registry"),
        {"resolved": {TAG: answer(TAG, 2)}, "engine": engine({}, free=None)},
        [],
    ),
}


@pytest.mark.parametrize("title", WRONG)
def test_problems_of_a_plan(title: str) -> None:
    item, known, expected = WRONG[title]
    assert plan(item, {}, **known).get("problems", []) == [f"{LINE}{text}" for text in expected]


def test_the_space_is_that_of_all_images_together() -> None:
    """The message lists only deployments whose images must be pulled."""
    needs = [
        need("r.example/x:1", "registry", deployments=["one", "two"]),
        need("r.example/there:1", "registry", 1, deployments=["there"]),
        need("r.example/y:1", "registry", deployments=["three"]),
    ]
    resolved = {item["image"]: answer(item["image"], 1) for item in needs}
    host = engine({"r.example/there:1": 1, digest("r.example/there", 1): 1}, free=7 * GB)
    found = plan_images(needs, [needs], host, resolved, {})
    assert [line.partition(";")[0] for line in found["problems"]] == [
        "deployment 'one, two, three', option 'image': pulling it requires about 8.0 GB, but the host has 7.0 GB free in "
        "/var/lib/docker"
    ]


SIZES = {
    0: "0.0 kB",
    500: "0.5 kB",
    999_999: "1000 kB",
    10**6: "1.0 MB",
    99_000_000: "99 MB",
    1_500_000_000: "1.5 GB",
    12_345_678_901: "12 GB",
}


@pytest.mark.parametrize(("size", "text"), SIZES.items())
def test_megabytes(size: int, text: str) -> None:
    assert megabytes(size) == text


# All hosts together, over several plays


NAMES = ("built:1", "r.example/pushed:1", "archived:1", "archived:latest", "r.example/tag:1", "hub", "r.example/tag:2")
DIGEST_NAME = digest("r.example/tag", 3)
IN_ARCHIVE = {"archived:1": archived(40), "archived:latest": archived(41)}
BUILT = {"built:1": 50, "r.example/pushed:1": 51}


class World:
    """Registries and hosts as dicts; a play does what the role does."""

    def __init__(
        self,
        registry: dict[str, int],
        hosts: list[dict[str, int]],
        wanted: list[list[str]],
        pull: str,
        builder: bool,
    ) -> None:
        self.registry, self.wanted, self.pull, self.builder = registry, wanted, pull, builder
        self.hosts = [self._known(host) for host in hosts]

    def _known(self, names: dict[str, int]) -> dict[str, str]:
        """Return the images that an engine lists after it built, loaded or pulled one."""
        found = {name: image_id(number) for name, number in names.items()}
        return found | {value: value for value in found.values()}

    def plans(self) -> list[dict[str, t.Any]]:
        """Run one play, up to the point where hosts change."""
        built = self._build()
        all_needs = [
            make_needs(
                deployments(**{f"d{place}": image for place, image in enumerate(wanted)}),
                list(BUILT),
                {"/a.tar": IN_ARCHIVE},
                host,
                self.pull,
            )
            for wanted, host in zip(self.wanted, self.hosts)
        ]
        asked = {item["image"] for item in to_resolve(all_needs, self.pull)}
        pushed = {item["image"] for needs in all_needs for item in needs if item["image"] == "r.example/pushed:1"}
        resolved = {image: self._ask(image) for image in asked | pushed}
        return [
            plan_images(needs, all_needs, {**engine({}), "images": host}, resolved, built)
            for needs, host in zip(all_needs, self.hosts)
        ]

    def _build(self) -> dict[str, dict[str, t.Any]]:
        """Build the needed images, on the first host if it is the builder; hosts are read afterwards."""
        needed = {normal_reference(image) for wanted in self.wanted for image in wanted} & BUILT.keys()
        for name in needed if self.builder else ():
            self._name(self.hosts[0], name, image_id(BUILT[name]))
        return {
            name: {"image_id": image_id(BUILT[name]), "digests": [], "architecture": "amd64"} for name in sorted(needed)
        }

    def _ask(self, image: str) -> dict[str, t.Any]:
        number = 3 if "@" in image else self.registry[normal_reference(image)]
        return answer(image, number)

    def carry_out(self, plans: list[dict[str, t.Any]]) -> None:
        for host, todo in zip(self.hosts, plans):
            for pulled in todo["pull"]:
                number = int(pulled.rpartition(":")[2], 16) - 256
                host |= {pulled: image_id(number), image_id(number): image_id(number)}
            for loaded in todo["load"]:
                self._name(host, loaded["image"], IN_ARCHIVE[loaded["image"]].image_id)
            for saved in todo["save"]:
                self._name(host, saved["image"], image_id(BUILT[saved["image"]]))
            for named in todo["tag"]:
                # The engine refuses to tag or load an image that it does not have.
                self._name(host, named["name"], host[named["image"]])

    @staticmethod
    def _name(host: dict[str, str], name: str, value: str) -> None:
        host |= {name: value, value: value}


NUMBERS = st.integers(1, 3)
REGISTRIES = st.fixed_dictionaries(
    {"r.example/tag:1": NUMBERS, "r.example/tag:2": NUMBERS, "hub:latest": NUMBERS, "r.example/pushed:1": st.just(51)}
)
# Images that a host may have: others under these names, the right ones under other names, or only digests.
HOSTS = st.dictionaries(
    st.sampled_from(
        [
            *map(normal_reference, NAMES),
            "stray:1",
            *(digest(name, n) for name in ("r.example/tag", "hub") for n in (1, 2)),
        ]
    ),
    NUMBERS | st.sampled_from([40, 41, 50, 51]),
    max_size=6,
).map(lambda names: {name: int(name[-64:], 16) - 256 if "@" in name else number for name, number in names.items()})
WANTED = st.lists(st.sampled_from([*NAMES, "docker.io/library/hub:latest", DIGEST_NAME]), max_size=5)
WORLDS = st.integers(1, 3).flatmap(
    lambda count: st.builds(
        World,
        REGISTRIES,
        st.lists(HOSTS, min_size=count, max_size=count),
        st.lists(WANTED, min_size=count, max_size=count),
        st.sampled_from(["always", "missing"]),
        st.booleans(),
    )
)


def settled(plans: list[dict[str, t.Any]]) -> bool:
    """Return whether no host lacks an image."""
    return all({**todo, "ids": {}} == EMPTY for todo in plans)


@given(WORLDS)
def test_every_host_ends_with_the_same_image_and_a_second_plan_is_empty(world: World) -> None:
    plans = world.plans()
    assert [todo["problems"] for todo in plans] == [[] for _host in world.hosts]
    world.carry_out(plans)
    found: dict[str, set[str]] = {}
    for host, wanted, todo in zip(world.hosts, world.wanted, plans):
        # Of two spellings of one name the first counts.
        assert {normal_reference(name) for name in todo["ids"]} == {normal_reference(image) for image in wanted}
        for written, pin in todo["ids"].items():
            name = normal_reference(written)
            found.setdefault(name, set()).add(host[name])
            # The images are those that check mode predicted.
            assert host[name] == host.get(pin, pin)
    assert all(len(ids) == 1 for ids in found.values()), found
    for name, (value,) in ((name, tuple(ids)) for name, ids in found.items()):
        if name in BUILT:
            assert value == image_id(BUILT[name])
        elif name in IN_ARCHIVE:
            assert value == IN_ARCHIVE[name].image_id
        elif world.pull == "always":
            assert value == image_id(3 if "@" in name else world.registry[name])
    again = world.plans()
    assert settled(again)
    for host, todo in zip(world.hosts, again):
        # Containers run these ids, whatever the names stand for by then.
        assert todo["ids"] == {written: host[normal_reference(written)] for written in todo["ids"]}


@given(WORLDS, st.data())
def test_the_next_play_completes_one_that_was_interrupted(world: World, data: st.DataObject) -> None:
    """Some hosts did nothing, or only pulled."""
    plans = world.plans()
    done = []
    for todo in plans:
        how = data.draw(st.sampled_from(["all", "nothing", "pulled"]))
        done.append(
            {**todo, **({} if how == "all" else {"tag": [], "load": [], "save": []})} if how != "nothing" else EMPTY
        )
    world.carry_out(done)
    world.carry_out(world.plans())
    assert settled(world.plans())


@pytest.mark.parametrize(
    ("wanted", "refused"),
    [
        (need(image_id(7), "host"), True),
        (need(image_id(7), "host", 7), False),
        # A name may be pulled later.
        (need("x:1", "registry"), False),
    ],
)
def test_an_image_by_id_must_be_on_the_host(wanted: dict[str, t.Any], refused: bool) -> None:
    lines = [str(problem) for problem in need_problems([wanted], "amd64")]
    assert lines == refused * [
        "deployment 'bot', option 'image': the host has no image '000000000000', and an image cannot be pulled by id; use its"
        " name, or load it there"
    ]


def test_what_an_earlier_batch_has_resolved_is_not_asked_again() -> None:
    """In whatever spelling."""
    hosts = [[need("x:1", "registry"), need("y:1", "registry")]]
    for pinned in (["x:1"], ["docker.io/library/x:1"]):
        assert [item["image"] for item in to_resolve(hosts, "always", dict.fromkeys(pinned))] == ["y:1"]
    assert len(to_resolve(hosts, "always", {})) == 2


def test_digests_of_a_repository_are_sorted() -> None:
    names = [digest("x:1", number) for number in range(8)]
    on_host = dict.fromkeys([*reversed(names), digest("y:1", 1), digest("other.example/x:1", 1), "x:1"], image_id(1))
    (found,) = make_needs(deployments(bot="x:1"), [], {}, on_host, "always")
    assert found["digests"] == names


def test_sizes_above_ten_have_no_fraction() -> None:
    assert [megabytes(size) for size in (9_900_000, 10_000_000, 10_900_000)] == ["9.9 MB", "10 MB", "11 MB"]


def test_images_that_raw_lists_have() -> None:
    one = [
        {"name": "a", "image": "b:2"},
        {"name": "c", "image": "b:1", "state": "stopped"},
        {"image": ""},
        {"image": 3},
        "d",
    ]
    assert listed_images([one, None, "text", [], [{"image": "b:2"}, {"image": "e:1"}]]) == ["b:1", "b:2", "e:1"]
