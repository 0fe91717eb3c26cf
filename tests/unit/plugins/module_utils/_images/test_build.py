# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Builds: failures of the real CLI in one line, images that are up to date, and no secret in a build's output."""

from __future__ import annotations

import hashlib
import io
import json
import os
import subprocess
import sys
import tarfile
import typing as t
from pathlib import Path

import pytest

from ansible_collections.selfhost.langgraph.plugins.module_utils._host import docker_engine
from ansible_collections.selfhost.langgraph.plugins.module_utils._host import spool as _spool
from ansible_collections.selfhost.langgraph.plugins.module_utils._images import build as image_build
from ansible_collections.selfhost.langgraph.plugins.module_utils._images.build import (
    BASE_LABEL,
    NAME_LABEL,
    SOURCE_LABEL,
    BuildError,
    built,
    make,
    outdated,
    program,
    prune,
    source_directories,
    validate,
)
from ansible_collections.selfhost.langgraph.plugins.modules import image_build as module
from ansible_collections.selfhost.langgraph.plugins.modules.image_build import kept_images
from ansible_collections.selfhost.langgraph.tests.unit.plugins.module_utils._rollout.fake_host import Host, bot

SECRET = "s3cr3t-Value-91"
CLI = Path(sys.executable).with_name("langgraph")
with_cli = pytest.mark.skipif(not CLI.exists(), reason="langgraph-cli is not installed here")


def build(**changes: t.Any) -> dict[str, t.Any]:
    return {
        "image": "bot:1",
        "directory": "/apps/bot",
        "config": "langgraph.json",
        "base_image": None,
        "api_version": None,
        "pull": True,
        "network": None,
        "build_args": {},
        "readable_build_args": [],
        "build_secrets": {},
        "path": None,
        "checksum": None,
        "source": "5" * 64,
        **changes,
    }


# Folders


def test_folders_are_used_as_they_are(tmp_path: Path) -> None:
    (tmp_path / "agent.py").write_text("graph = 1")
    with source_directories([build(path=str(tmp_path))]) as found:
        assert found == {"bot:1": str(tmp_path)}
    assert (tmp_path / "agent.py").exists()


@pytest.fixture
def spool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The spool directory, empty."""
    monkeypatch.setattr(_spool, "place", lambda: str(tmp_path / "spool"))
    return Path(_spool.make())


def packed(path: Path, **files: str) -> dict[str, str]:
    """The options of a build that was shipped."""
    with tarfile.open(path, "w") as archive:
        for name, text in files.items():
            member = tarfile.TarInfo(name.replace("_", "."))
            member.size, member.mode = len(text), 0o755
            archive.addfile(member, io.BytesIO(text.encode()))
    return {"path": str(path), "checksum": hashlib.sha256(path.read_bytes()).hexdigest()}


def test_what_was_shipped_is_unpacked_and_nothing_of_it_stays(spool: Path) -> None:
    one = packed(spool / "one.tar", agent_py="graph = 1")
    two = packed(spool / "two.tar", other_py="graph = 2")
    with source_directories([build(**one), build(image="two:1", **two)]) as found:
        assert (Path(found["bot:1"]) / "agent.py").read_text() == "graph = 1"
        assert (Path(found["bot:1"]) / "agent.py").stat().st_mode & 0o777 == 0o755
        assert (Path(found["two:1"]) / "other.py").read_text() == "graph = 2"
        assert {Path(path).name for path in found.values()} == {"bot"}
    assert list(spool.iterdir()) == []


def test_two_images_of_one_folder_share_what_was_shipped(spool: Path) -> None:
    one = packed(spool / "one.tar", agent_py="graph = 1")
    with source_directories([build(**one), build(image="two:1", **one)]) as found:
        assert [(Path(folder) / "agent.py").exists() for folder in found.values()] == [True, True]
    assert list(spool.iterdir()) == []


def test_what_was_shipped_goes_when_a_build_fails_too(spool: Path) -> None:
    good, bad = packed(spool / "one.tar", agent_py="graph = 1"), spool / "two.tar"
    bad.write_text("cut short")
    with pytest.raises(BuildError), source_directories([build(**good)]):
        raise BuildError("no")
    cut = {"path": str(bad), "checksum": hashlib.sha256(b"cut short").hexdigest()}
    with (
        pytest.raises(BuildError, match="^image 'bot:1': its source directory cannot be unpacked: "),
        source_directories([build(**cut)]),
    ):
        pass
    assert list(spool.iterdir()) == []


def swap(path: Path) -> None:
    packed(path, evil_py="graph = 666")


def link(path: Path) -> None:
    path.rename(path.with_suffix(".elsewhere"))
    path.symlink_to(path.with_suffix(".elsewhere"))


def pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def give_away(path: Path) -> None:
    os.chown(path, 65534, 65534)


PLANTED = {"another one": swap, "a link to it": link, "a pipe": pipe, "of another user": give_away}


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
@pytest.mark.parametrize("plant", PLANTED.values(), ids=PLANTED)
def test_what_was_planted_in_its_place_is_not_unpacked(spool: Path, plant: t.Callable[[Path], None]) -> None:
    one = packed(spool / "one.tar", agent_py="graph = 1")
    plant(spool / "one.tar")
    with pytest.raises(BuildError), source_directories([build(**one)]):
        pytest.fail("unpacked")


def test_what_was_shipped_elsewhere_is_not_unpacked(spool: Path, tmp_path: Path) -> None:
    one = packed(tmp_path / "one.tar", agent_py="graph = 1")
    with pytest.raises(BuildError, match="was sent to a directory other than"), source_directories([build(**one)]):
        pytest.fail("unpacked")


# The program


def test_the_program_beside_python_is_taken_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for folder in ("venv", "path"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "langgraph").write_text("#!/bin/sh\n")
    monkeypatch.setattr(sys, "executable", str(tmp_path / "venv/python3"))
    monkeypatch.setenv("PATH", str(tmp_path / "path"))
    with pytest.raises(BuildError) as error:
        program("langgraph")
    assert str(error.value) == (
        "the build host has no program 'langgraph'; install the Python package langgraph-cli there"
    )
    (tmp_path / "path/langgraph").chmod(0o755)
    assert program("langgraph") == str(tmp_path / "path/langgraph")
    (tmp_path / "venv/langgraph").chmod(0o755)
    assert program("langgraph") == str(tmp_path / "venv/langgraph")
    assert program(str(tmp_path / "path/langgraph")) == str(tmp_path / "path/langgraph")


# What the CLI refuses

GRAPHS = {"agent": "./agent.py:graph"}
GOOD: dict[str, t.Any] = {"dependencies": ["."], "graphs": GRAPHS}
CONFIGS: dict[str, tuple[t.Any, str]] = {
    "not there": (None, "the source directory has no file 'langgraph.json'"),
    "no JSON": (
        '{"dependencies": [',
        "langgraph.json: Error: Invalid JSON in FOLDER/langgraph.json: Expecting value: ",
    ),
    "no graphs": ({"dependencies": ["."]}, "langgraph.json: Error: No graphs found in config. Add at least one graph"),
    "no dependencies": ({"graphs": GRAPHS}, "langgraph.json: Error: No dependencies found in config"),
    "a typo": ({"dependencies": ["."], "grahps": GRAPHS}, "langgraph.json: Error: No graphs found in config"),
    "a graph that is not there": (
        {**GOOD, "graphs": {"agent": "./none.py:graph"}},
        "langgraph.json: FileNotFoundError: Could not find local module: FOLDER/none.py",
    ),
    "a graph without a name": (
        {**GOOD, "graphs": {"agent": "agent"}},
        'langgraph.json: ValueError: Import string "agent" must be in format "<module>:<attribute>".',
    ),
    "a dependency that is not there": (
        {**GOOD, "dependencies": [".", "./lib"]},
        "langgraph.json: FileNotFoundError: Could not find local dependency: FOLDER/lib",
    ),
    "an old Python": (
        {**GOOD, "python_version": "3.8"},
        "langgraph.json: Error: Python version 3.8 is not supported. Minimum required version is 3.11.",
    ),
}


def application(folder: Path, config: t.Any, name: str = "langgraph.json") -> str:
    path = folder / name
    path.parent.mkdir(exist_ok=True)
    (path.parent / "agent.py").write_text("graph = 1\n")
    if config is not None:
        path.write_text(config if isinstance(config, str) else json.dumps(config))
    return str(folder)


@with_cli
@pytest.mark.parametrize("title", CONFIGS)
def test_what_the_cli_refuses(title: str, tmp_path: Path) -> None:
    config, cause = CONFIGS[title]
    folder = application(tmp_path, config)
    with pytest.raises(BuildError) as error:
        validate(str(CLI), build(), folder)
    message = str(error.value)
    assert message.startswith(f"image 'bot:1', option 'config': {cause.replace('FOLDER', folder)}"), message
    assert "\n" not in message
    assert "\x1b" not in message + "".join(error.value.log)


BASES: dict[str, tuple[dict[str, t.Any], dict[str, t.Any], str]] = {
    "nothing": ({}, {}, "langchain/langgraph-api:3.11"),
    "Python": ({"python_version": "3.12"}, {}, "langchain/langgraph-api:3.12"),
    "version": ({"api_version": "0.7.1"}, {}, "langchain/langgraph-api:0.7.1-py3.11"),
    "version of the build": (
        {"api_version": "0.7.1"},
        {"api_version": "0.7.2"},
        "langchain/langgraph-api:0.7.2-py3.11",
    ),
    "base": ({"base_image": "r.example:5000/a"}, {}, "r.example:5000/a:3.11"),
    "base of the build": ({"base_image": "x/a"}, {"base_image": "x/b"}, "x/b:3.11"),
    "tag of the CLI": ({"_INTERNAL_docker_tag": "my-own"}, {}, "langchain/langgraph-api:my-own"),
}


@with_cli
@pytest.mark.parametrize("title", BASES)
def test_a_good_one_gives_the_base_image(title: str, tmp_path: Path) -> None:
    more, options, base = BASES[title]
    folder = application(tmp_path, {**GOOD, **more})
    before = sorted(tmp_path.iterdir())
    assert validate(str(CLI), build(**options), folder) == base
    # It leaves nothing in the directory, which would change the source hash.
    assert sorted(tmp_path.iterdir()) == before


@with_cli
def test_a_config_in_a_folder_of_its_own(tmp_path: Path) -> None:
    folder = application(tmp_path, GOOD, "deploy/prod.json")
    assert validate(str(CLI), build(config="deploy/prod.json"), folder) == "langchain/langgraph-api:3.11"


# What is built already


class Client:
    """An engine with images by name, each a mapping as the engine returns it; changes to them are applied here."""

    def __init__(self, **images: dict[str, t.Any]) -> None:
        self.known = {name.replace("_", ":"): image for name, image in images.items()}
        self.readable: list[str] = []
        self.cache: list[dict[str, str]] = []

    def inspect_image(self, name: str) -> dict[str, t.Any]:
        by_id = {image["Id"]: image for image in self.known.values()}
        found = self.known.get(name) or by_id.get(name)
        if found is None:
            raise docker_engine.docker.errors.NotFound("no such image")
        return found

    def images(self, **_how: bool) -> list[dict[str, t.Any]]:
        return list(self.known.values())

    def info(self) -> dict[str, t.Any]:
        return {"DockerRootDir": "/"}

    def df(self) -> dict[str, t.Any]:
        return {"BuildCache": self.cache}

    def history(self, _name: str) -> list[dict[str, t.Any]]:
        return [{"CreatedBy": text} for text in self.readable]

    def tag(self, image: str, repository: str, tag: str) -> None:
        self.known[f"{repository}:{tag}"] = self.inspect_image(image)

    def remove_image(self, name: str) -> None:
        found = self.inspect_image(name)
        self.known = (
            {
                key: image
                for key, image in self.known.items()
                if key != name and (key == image["Id"] or image is not found)
            }
            if name == found["Id"]
            else {key: image for key, image in self.known.items() if key != name}
        )


def image(image_id: str, source: str | None = None, base: str = "") -> dict[str, t.Any]:
    labels = {SOURCE_LABEL: source, BASE_LABEL: base} if source else None
    return {"Id": image_id, "Config": {"Labels": labels, "Env": []}, "Architecture": "amd64"}


SOURCE = "5" * 64
BASE = image("sha256:base")
BUILT: dict[str, tuple[dict[str, t.Any], bool]] = {
    "not there": ({}, False),
    "unchanged": ({"bot_1": image("sha256:1", SOURCE, "base:3 sha256:base"), "base_3": BASE}, True),
    "from another source": ({"bot_1": image("sha256:1", "6" * 64, "base:3 sha256:base"), "base_3": BASE}, False),
    "the base has moved": ({"bot_1": image("sha256:1", SOURCE, "base:3 sha256:older"), "base_3": BASE}, False),
    "the base is gone": ({"bot_1": image("sha256:1", SOURCE, "base:3 sha256:older")}, True),
    "made by hand": ({"bot_1": image("sha256:1"), "base_3": BASE}, False),
    "no word about the base": ({"bot_1": image("sha256:1", SOURCE)}, True),
    "without a configuration": ({"bot_1": {"Id": "sha256:1", "Config": None}}, False),
}


@pytest.mark.parametrize("title", BUILT)
def test_built(title: str) -> None:
    images, expected = BUILT[title]
    assert built(Client(**images), build()) == (images["bot_1"] if expected else None)


# What builds and other programs really said, the last lines of each.
CAUSES = {
    "pip": (
        "Looking in links: /opt/wheels\n"
        "ERROR: Could not find a version that satisfies the requirement no-such-package-x (from versions: none)\n"
        "ERROR: No matching distribution found for no-such-package-x\n"
        "The command '/bin/sh -c pip install no-such-package-x' returned a non-zero code: 1",
        "ERROR: No matching distribution found for no-such-package-x",
    ),
    "uv": (
        "#9 [3/5] RUN uv pip install no-such-package-x\n"
        "#9 0.912   x No solution found when resolving dependencies:\n"
        "#9 0.912   `-> Because no-such-package-x was not found in the package registry and you require\n"
        "#9 0.912       no-such-package-x, we can conclude that your requirements are unsatisfiable.\n"
        '#9 ERROR: process "/bin/sh -c uv pip install no-such-package-x" did not complete successfully: exit code: 1\n'
        'ERROR: failed to solve: process "/bin/sh -c uv pip install no-such-package-x" did not complete successfully',
        "#9 0.912 `-> Because no-such-package-x was not found in the package registry and you require",
    ),
    "no network": (
        "Step 1/12 : FROM langchain/langgraph-api:3.11\n"
        "DEPRECATED: The legacy builder is deprecated and will be removed in a future release.\n"
        "            Install the buildx component to build images with BuildKit:\n"
        "            https://docs.docker.com/go/buildx/\n"
        'Get "https://registry-1.docker.io/v2/": dial tcp: lookup registry-1.docker.io on 10.255.255.53:53: no such host',
        'Get "https://registry-1.docker.io/v2/": dial tcp: lookup registry-1.docker.io on 10.255.255.53:53: no such host',
    ),
    "Dockerfile": (
        "Sending build context to Docker daemon  6.191kB\n"
        "Error response from daemon: dockerfile parse error line 3: unknown instruction: NOSUCH\n"
        "Sending build context to Docker daemon  6.191kB",
        "Error response from daemon: dockerfile parse error line 3: unknown instruction: NOSUCH",
    ),
    "full disk": (
        "OSError: [Errno 28] No space left on device: '/api/x'\nError: the build failed\n",
        "OSError: [Errno 28] No space left on device: '/api/x'",
    ),
    "CLI": (
        "Usage: langgraph dockerfile [OPTIONS] SAVE_PATH\n"
        "Try 'langgraph dockerfile --help' for help.\n\n"
        "Error: No graphs found in config. Add at least one graph, e.g.:\n"
        '  "graphs": {\n    "agent": "./my_agent/graph.py:graph"\n  }',
        "Error: No graphs found in config. Add at least one graph, e.g.:",
    ),
    "base that cannot be had": ("invalid reference format", "invalid reference format"),
    "nothing": ("", "it printed nothing"),
}


@pytest.mark.parametrize("title", CAUSES)
def test_cause(title: str) -> None:
    output, cause = CAUSES[title]
    assert image_build._cause([line for line in output.splitlines() if line.strip()]) == cause


def test_a_cause_is_one_line_of_a_bounded_length() -> None:
    cause = image_build._cause(["error: " + 1000 * "x\t"])
    assert cause.isprintable()
    assert len(cause) == 300


def run(script: str, folder: Path, environment: dict[str, str], *secret: str) -> tuple[int, list[str]]:
    return image_build._run(["/bin/sh", "-c", script], str(folder), environment, secret)


def test_what_a_build_says_has_no_colours_and_no_secrets(tmp_path: Path) -> None:
    script = r"""printf '\033[1;31merror\033[0m: %s\r\n\n   \nprogress 1\rprogress 2\nlonger %s\n' "$A" "$B" """
    code, lines = run(script, tmp_path, {"A": SECRET, "B": f"{SECRET}-and-more"}, SECRET, f"{SECRET}-and-more", "", " ")
    assert code == 0
    assert lines == ["error: ********", "progress 1", "progress 2", "longer ********"]


def test_a_build_is_run_in_its_folder_without_questions_and_without_analytics(tmp_path: Path) -> None:
    code, lines = run('pwd; cat; echo "$LANGGRAPH_CLI_NO_ANALYTICS $NO_COLOR $A" >&2; exit 3', tmp_path, {"A": "x"})
    assert (code, lines) == (3, [str(tmp_path), "1 1 x"])


def test_the_last_lines_of_a_build_are_kept(tmp_path: Path) -> None:
    _code, lines = run("seq 100", tmp_path, {})
    assert lines == [str(number) for number in range(76, 101)]


def test_bytes_that_are_no_text_do_no_harm(tmp_path: Path) -> None:
    assert run(r"printf 'error: \377\n'", tmp_path, {}) == (0, ["error: \ufffd"])


# The build itself, with programs that stand for the CLI and for the client


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> t.Callable[..., str]:
    """Give a CLI that notes how it was called and does what a script says; ``docker`` pulls."""

    def install(cli: str = "", docker: str = "") -> str:
        for name, script in (("langgraph", cli), ("docker", docker)):
            path = tmp_path / "bin" / name
            path.parent.mkdir(exist_ok=True)
            path.write_text(f'#!/bin/sh\nfor word; do echo "$word" >>{tmp_path}/{name}.called; done\n{script}\n')
            path.chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path}/bin:/usr/bin:/bin")
        return str(tmp_path / "bin/langgraph")

    return install


def called(tmp_path: Path, name: str = "langgraph") -> list[str]:
    path = tmp_path / f"{name}.called"
    return path.read_text().splitlines() if path.exists() else []


class Engine(Client):
    """What the CLI builds is there under its first name at once."""

    def __init__(self, made: dict[str, t.Any], **images: dict[str, t.Any]) -> None:
        super().__init__(base_3=BASE, **images)
        self.known["langgraph-build:" + SOURCE[:24]] = made


MADE = image("sha256:made")


def test_an_image_gets_its_name_when_it_is_complete(tmp_path: Path, programs: t.Callable[..., str]) -> None:
    client = Engine(MADE, bot_1=image("sha256:older"))
    options = {"network": "none", "build_args": {"A": SECRET}, "readable_build_args": ["A"], "api_version": "0.7.1"}
    made = make(client, programs(), build(**options), str(tmp_path), "base:3")
    assert made["Id"] == "sha256:made"
    assert client.inspect_image("bot:1")["Id"] == "sha256:made"
    assert not [name for name in client.known if name.startswith("langgraph-build")]
    assert called(tmp_path, "docker") == ["pull", "base:3"]
    command = called(tmp_path)
    assert command == [
        "build",
        "-t",
        f"langgraph-build:{SOURCE[:24]}",
        "-c",
        f"{tmp_path}/langgraph.json",
        "--api-version",
        "0.7.1",
        "--no-pull",
        "--force-rm",
        "--network=none",
        f"--label={SOURCE_LABEL}={SOURCE}",
        f"--label={BASE_LABEL}=base:3 sha256:base",
        f"--label={NAME_LABEL}=bot:1",
        "--build-arg=A",
    ]
    assert SECRET not in " ".join(command)


def test_the_own_base_is_not_pulled(tmp_path: Path, programs: t.Callable[..., str]) -> None:
    make(Engine(MADE), programs(docker="exit 1"), build(pull=False), str(tmp_path), "base:3")
    assert called(tmp_path, "docker") == []


def test_secrets_reach_the_build_by_its_environment_alone(tmp_path: Path, programs: t.Callable[..., str]) -> None:
    """No file, so that a build that is killed leaves none; no command line either."""
    script = f"""
for word; do case $word in --secret=*) variable=${{word##*env=}}; esac; done
printenv "$variable" >{tmp_path}/seen; echo "$DOCKER_BUILDKIT $A" >>{tmp_path}/seen
find {tmp_path}/tmp -type f >>{tmp_path}/seen"""
    (tmp_path / "tmp").mkdir()
    options = {"build_args": {"A": "value"}, "build_secrets": {"TOKEN": f"{SECRET}\n"}}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(image_build.tempfile, "tempdir", str(tmp_path / "tmp"))
        make(Engine(MADE), programs(script), build(**options), str(tmp_path), "base:3")
    assert (tmp_path / "seen").read_text() == f"{SECRET}\n\n1 value\n"
    assert "--secret=id=TOKEN,env=" in " ".join(called(tmp_path))
    assert SECRET not in " ".join(called(tmp_path))


READABLE = {
    "build_args": ({"build_args": {"TOKEN": SECRET}}, f"|1 TOKEN={SECRET} /bin/sh -c pip install x"),
    "build_secrets": ({"build_secrets": {"TOKEN": f"{SECRET}\n"}}, f"RUN echo {SECRET}"),
}


@pytest.mark.parametrize("title", READABLE)
def test_an_image_that_tells_a_secret_is_removed(title: str, tmp_path: Path, programs: t.Callable[..., str]) -> None:
    options, line = READABLE[title]
    client = Engine(MADE)
    client.readable = ["/bin/sh -c #(nop) CMD", line]
    with pytest.raises(BuildError) as error:
        make(client, programs(), build(**options), str(tmp_path), "base:3")
    assert "the value of TOKEN stays readable in the image" in str(error.value)
    assert SECRET not in str(error.value)
    assert list(client.known) == ["base:3"]


def test_what_may_be_read_may_be_read(tmp_path: Path, programs: t.Callable[..., str]) -> None:
    client = Engine(MADE)
    client.readable = [f"|2 EMPTY= TOKEN={SECRET} /bin/sh -c pip install x"]
    options = {"build_args": {"TOKEN": SECRET, "EMPTY": ""}, "readable_build_args": ["TOKEN"]}
    assert make(client, programs(), build(**options), str(tmp_path), "base:3")["Id"] == "sha256:made"


def test_a_build_that_fails_says_why_and_no_secret(tmp_path: Path, programs: t.Callable[..., str]) -> None:
    client = Client(base_3=BASE, bot_1=image("sha256:older"))
    cli = programs('echo "error: no package $TOKEN"; exit 1')
    with pytest.raises(BuildError) as error:
        make(client, cli, build(build_args={"TOKEN": SECRET}), str(tmp_path), "base:3")
    assert str(error.value) == "image 'bot:1': 'langgraph build' failed: error: no package ********"
    assert error.value.log == ["error: no package ********"]
    assert client.inspect_image("bot:1")["Id"] == "sha256:older"


def test_a_full_disk_gives_back_what_the_build_had_used(tmp_path: Path, programs: t.Callable[..., str]) -> None:
    client = Client(base_3=BASE)
    cli = programs(f'echo "write /x: no space left on device"; touch {tmp_path}/full; exit 1')
    layers = [{"Id": "sha256:left-1"}, {"Id": "sha256:left-2"}]

    def images(**_how: bool) -> list[dict[str, t.Any]]:
        there = layers if (tmp_path / "full").exists() else []
        return [*client.known.values(), *there]

    removed = []
    client.images = images  # type: ignore[method-assign]

    def remove(name: str) -> None:
        removed.append(name)
        layers.remove({"Id": name})

    client.remove_image = remove  # type: ignore[method-assign]
    with pytest.raises(
        BuildError, match="the disk of the build host was full; the space that the build had used was reclaimed"
    ):
        make(client, cli, build(), str(tmp_path), "base:3")
    assert sorted(removed) == ["sha256:left-1", "sha256:left-2"]


def test_a_full_disk_gives_back_what_buildkit_has_kept(tmp_path: Path, programs: t.Callable[..., str]) -> None:
    """What it had before this build is somebody else's, and stays."""
    client = Client(base_3=BASE)
    client.cache = [
        {"ID": "old", "CreatedAt": "2026-11-26T01:58:50.925199328Z"},
        {"ID": "one", "CreatedAt": "2099-11-26T01:58:50.925199328Z"},
        {"ID": "two", "CreatedAt": "2099-11-26T01:58:50Z"},
        {"ID": "no-time"},
    ]
    cli = programs('echo "write /x: no space left on device"; exit 1')
    with pytest.raises(BuildError, match="the space that the build had used was reclaimed"):
        make(client, cli, build(pull=False), str(tmp_path), "base:3")
    assert called(tmp_path, "docker") == ["builder", "prune", "--all", "--force", "--filter=id=^(one|two)$"]


def test_buildkit_gets_time_to_give_back_what_a_failed_step_has_used(
    tmp_path: Path, programs: t.Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a full disk its cache cannot even be listed (engine 26.1: write metadata_v2.db: no space left on device)."""
    client, asked = Client(base_3=BASE), []

    def df() -> dict[str, t.Any]:
        asked.append(1)
        if len(asked) < answers_at:
            raise docker_engine.docker.errors.DockerException("no space left on device")
        return {"BuildCache": None}

    client.df = df  # type: ignore[method-assign]
    monkeypatch.setattr(image_build.time, "sleep", lambda _seconds: None)
    cli = programs('echo "write /x: no space left on device"; exit 1')
    answers_at = 4
    with pytest.raises(BuildError, match="the space that the build had used was reclaimed"):
        make(client, cli, build(pull=False), str(tmp_path), "base:3")
    assert len(asked) == answers_at


# Free bytes before the build and after it, and whether the cache can be listed.
KEPT = {"no byte is free": (1000, 0, True), "little is free": (1000, 100, True), "no answer": (1000, 1000, False)}


@pytest.mark.parametrize("title", KEPT)
def test_what_buildkit_does_not_give_back_is_told(
    title: str, tmp_path: Path, programs: t.Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It happens where not even what became of the step can be noted down; a start of the engine helps."""
    *free, answers = KEPT[title]
    client = Client(base_3=BASE)
    if not answers:

        def refuse() -> t.NoReturn:
            raise docker_engine.docker.errors.DockerException("no space left on device")

        client.df = refuse  # type: ignore[method-assign]
    monkeypatch.setattr(image_build, "_PATIENCE", 0)
    monkeypatch.setattr(image_build, "free_bytes", lambda _root: free.pop(0))
    cli = programs('echo "write /x: no space left on device"; exit 1')
    says = "the disk of the build host is full, and BuildKit keeps the space that the build had used until the engine restarts"
    with pytest.raises(BuildError, match=says):
        make(client, cli, build(pull=False), str(tmp_path), "base:3")


def test_a_base_that_cannot_be_had(tmp_path: Path, programs: t.Callable[..., str]) -> None:
    cli = programs(docker="echo 'Error response from daemon: manifest for base:4 not found'; exit 1")
    with pytest.raises(BuildError) as error:
        make(Client(), cli, build(), str(tmp_path), "base:4")
    assert str(error.value) == (
        "image 'bot:1', option 'base_image': 'base:4' cannot be pulled: "
        "Error response from daemon: manifest for base:4 not found"
    )
    with pytest.raises(BuildError, match="the build host has no image 'base:4'; set pull: true"):
        make(Client(), cli, build(pull=False), str(tmp_path), "base:4")
    assert called(tmp_path) == []


def test_another_python_than_that_of_the_base() -> None:
    there = ["x/api:3.11", "x/api:3.13", "y/api:3.12", f"x/api@sha256:{'a' * 64}", f"sha256:{'a' * 64}"]
    assert image_build._no_base("bot:1", "x/api:3.12", there) == (
        "image 'bot:1', option 'base_image': python_version in langgraph.json asks for the tag 3.12 of 'x/api', and the build host has 3.11, 3.13; change "
        "python_version, or provide that base image"
    )
    assert image_build._no_base("bot:1", "z/api:3.12", there) == (
        "image 'bot:1', option 'base_image': the build host has no image 'z/api:3.12'; set pull: true"
    )


@with_cli
def test_the_cli_takes_what_it_is_called_with(tmp_path: Path) -> None:
    """All of the command's options, up to the engine, which is not there to be asked."""
    folder = application(tmp_path, GOOD)
    (tmp_path / "docker").write_text(f'#!/bin/sh\necho "$*" >>{tmp_path}/docker.called\ncat >/dev/null\n')
    (tmp_path / "docker").chmod(0o755)
    options = {"network": "none", "build_args": {"A": SECRET}, "base_image": "base", "build_secrets": {"B": SECRET}}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
        code, lines = image_build._build(str(CLI), build(**options), folder, {SOURCE_LABEL: "x y"}, "name:1")
    assert code == 0, lines
    (command,) = (line for line in called(tmp_path, "docker") if line.startswith("build"))
    for option in (
        "-t name:1",
        "--force-rm",
        "--network=none",
        f"--label={SOURCE_LABEL}=x y",
        "--build-arg=A",
        "--secret=id=B",
    ):
        assert option in command
    assert "--pull" not in command
    assert SECRET not in command + "\n".join(lines)


def test_images_that_kept_revisions_need_are_not_forgotten(host: Host) -> None:
    host.converge(bot())
    host.converge(bot(image="bot:2"))
    host.calls.clear()
    for image_id in ("sha256:1", "sha256:2", "sha256:3"):
        image_build.forget(None, image_id, kept_images(str(host.folder)))
    assert host.calls == [("rmi", "sha256:3")]
    image_build.forget(None, "sha256:4", kept_images("/no/such/folder") or ())
    assert host.calls[1:] == [("rmi", "sha256:4")]


def test_told() -> None:
    found = {**image("sha256:1"), "RepoDigests": ["r.example/bot@sha256:2"]}
    assert image_build.result_entry("docker.io/library/bot", found, "keep") == {
        "image": "bot:latest",
        "action": "keep",
        "image_id": "sha256:1",
        "content": docker_engine.content_of_inspected(found),
        "digests": ["r.example/bot@sha256:2"],
        "architecture": "amd64",
    }
    assert image_build.result_entry("bot:1", None, "build") == {
        "image": "bot:1",
        "action": "build",
        "image_id": None,
        "content": None,
        "digests": [],
        "architecture": None,
    }


# The module


def test_short_values_of_build_arguments_do_not_garble_what_it_returns(tmp_path: Path) -> None:
    """Ansible masks every secret in a result, wherever it stands; ids are what all hosts are compared by."""
    arguments = {"builds": [build(image="bot:1.4", build_args={"VERSION": "1.4", "DEBUG": "0", "KEEP": "keep"})]}
    answer = {"bot:1.4": image_build.result_entry("bot:1.4", image("sha256:0101.4"), "keep")}
    code = (
        "import sys, json\n"
        "from ansible.module_utils import basic\n"
        "from ansible_collections.selfhost.langgraph.plugins.modules import image_build\n"
        "basic._ANSIBLE_ARGS = sys.argv[1].encode()\n"
        "basic._ANSIBLE_PROFILE = 'legacy'\n"
        "image_build.build_all = lambda _params, check_mode: (json.loads(sys.argv[2]), [])\n"
        "image_build.main()\n"
    )
    command = [sys.executable, "-c", code, json.dumps({"ANSIBLE_MODULE_ARGS": arguments}), json.dumps(answer)]
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        check=False,
        env={"PYTHONPATH": ":".join(sys.path), "HOME": str(tmp_path)},
    )
    found = json.loads(done.stdout)
    assert found["images"] == answer, done.stderr
    assert "1.4" not in json.dumps(found.get("invocation", {}))


def listed(name: str, created: int, **more: t.Any) -> dict[str, t.Any]:
    """Return an image as the engine lists it; Docker Hub's name in front is left out there."""
    image: dict[str, t.Any] = {
        "Id": f"sha256:{name}",
        "RepoTags": [name],
        "Labels": {NAME_LABEL: name},
        "Created": created,
    }
    return {**image, **more}


def test_earlier_builds_that_are_pruned() -> None:
    images = [
        listed("bot:1", 1),
        listed("bot:3", 3),
        listed("bot:2", 2),
        listed("bot:4", 4),
        # Those of other repositories, of somebody else, with another name, without one, renamed, derived from one, what the list has
        # and what a kept revision needs.
        listed("other:1", 0),
        listed("r.example.com/bot:1", 0),
        listed("bot:by-hand", 0, Labels=None),
        listed("bot:0", 0, RepoTags=["bot:0", "bot:stable"]),
        listed("bot:none", 0, RepoTags=None),
        listed("bot:renamed", 0, Labels={NAME_LABEL: "bot:5"}),
        listed("bot:debug", 0, Labels={SOURCE_LABEL: "x", NAME_LABEL: "bot:1"}),
        listed("bot:listed", 0),
        listed("bot:needed", 0),
    ]
    stay = (["docker.io/bot:listed"], ["sha256:bot:needed"])
    assert outdated(images, ["docker.io/library/bot:4"], 2, *stay) == ["bot:2", "bot:1"]
    assert outdated(images, ["bot:4"], 4, *stay) == []
    assert outdated(images, ["bot:4", "bot:3"], 3, *stay) == ["bot:1"]
    assert outdated(images, ["bot:4"], 1, *stay) == ["bot:3", "bot:2", "bot:1"]
    assert outdated(images, ["r.example.com/bot:2", "new:1"], 1, *stay) == ["r.example.com/bot:1"]


def test_pruned_is_what_the_engine_has_removed() -> None:
    client = Client()
    removed: list[str] = []

    def remove_image(name: str) -> None:
        if name == "bot:1":
            raise docker_engine.docker.errors.APIError("a container uses it")
        removed.append(name)

    client.remove_image = remove_image  # type: ignore[attr-defined]
    assert prune(t.cast("t.Any", client), ["bot:1", "bot:2"]) == removed == ["bot:2"]


def test_nothing_is_removed_if_the_user_may_not_read_what_revisions_need(monkeypatch: pytest.MonkeyPatch) -> None:
    def unreadable(_path: str) -> t.NoReturn:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "scandir", unreadable)
    assert kept_images("/etc/langgraph") is None
    client = Client()
    client.images = lambda **_how: [listed("bot:1", 1)]  # type: ignore[method-assign]
    params = {"config_dir": "/etc/langgraph", "keep": 1, "keep_names": []}
    assert module._outdated(t.cast("t.Any", client), params, ["bot:2"]) == []
    monkeypatch.undo()

    def listed_by_a_hung_engine(_client: t.Any) -> t.NoReturn:
        raise docker_engine.EngineError("it does not answer")

    with monkeypatch.context() as patch:
        patch.setattr(docker_engine, "images", listed_by_a_hung_engine)
        assert module._outdated(t.cast("t.Any", client), {**params, "config_dir": "/no/such"}, ["bot:2"]) == []
    assert module._outdated(t.cast("t.Any", client), {**params, "config_dir": "/no/such"}, ["bot:2"]) == ["bot:1"]


@pytest.mark.parametrize("check_mode", [False, True])
def test_what_is_built_forgotten_and_pruned(check_mode: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of two images of which one exists in another version: check mode validates both and changes nothing."""
    done: list[tuple[str, str]] = []
    client = Client(bot_1=image("sha256:old"))
    client.images = lambda **_how: [listed("bot:0", 0)]  # type: ignore[method-assign]
    monkeypatch.setattr(docker_engine, "connect", lambda: client)
    monkeypatch.setattr(docker_engine, "remove_image", lambda _client, name: done.append(("remove", name)) or True)
    monkeypatch.setattr(image_build, "program", lambda name: name)
    monkeypatch.setattr(
        image_build, "validate", lambda _cli, item, _where: done.append(("validate", item["image"])) or "b"
    )

    def made(_client: t.Any, _cli: str, item: t.Any, *_more: str) -> dict[str, t.Any]:
        done.append(("make", item["image"]))
        return image(f"sha256:{item['image']}")

    monkeypatch.setattr(image_build, "make", made)
    builds = [build(image=name, path="/apps", source="6" * 64) for name in ("bot:1", "new:1")]
    params = {"builds": builds, "program": "langgraph", "config_dir": "/no/such", "keep": 1, "keep_names": []}
    images, pruned = module.build_all(params, check_mode=check_mode)
    assert {name: entry["action"] for name, entry in images.items()} == {"bot:1": "build", "new:1": "build"}
    assert pruned == ["bot:0"]
    validated = [("validate", "bot:1"), ("validate", "new:1")]
    changed = [("make", "bot:1"), ("remove", "sha256:old"), ("make", "new:1"), ("remove", "bot:0")]
    assert done == (validated if check_mode else validated + changed)
