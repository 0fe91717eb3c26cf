# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Building images with ``langgraph build``: what is built already, the command, its failure in one line."""

from __future__ import annotations

import contextlib
import os
import pathlib
import re
import shutil
import sys
import tarfile
import tempfile
import time
import typing as t
from concurrent.futures import ThreadPoolExecutor

from ansible_collections.selfhost.langgraph.plugins.module_utils._common.command import run
from ansible_collections.selfhost.langgraph.plugins.module_utils._common.image_reference import normal_reference
from ansible_collections.selfhost.langgraph.plugins.module_utils._common.problems import shown
from ansible_collections.selfhost.langgraph.plugins.module_utils._host import docker_engine
from ansible_collections.selfhost.langgraph.plugins.module_utils._host import spool as _spool
from ansible_collections.selfhost.langgraph.plugins.module_utils._host.disk import free_bytes

SOURCE_LABEL = "selfhost.langgraph.source"
BASE_LABEL = "selfhost.langgraph.base"
LOG_LINES = 25
# Seconds that BuildKit gets to remove a step that failed (seen: two).
_PATIENCE = 15
# Of the bytes that were free; others use the disk too.
_NEARLY_ALL = 0.8
# Lines of a build's output that tell why it failed, the most telling first.
_CAUSES = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        r"no space left on device",
        r"because .* (not found|no versions?|unsatisfiable)|no solution found",
        r"could not find a version|no matching distribution",
        r"^\s*(error|usage)[: ]",
        r"\b[a-z.]*(error|exception)\b:",
        r"denied|not found|failed",
    )
)
_STEP = "failed to solve"
_COLOUR = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")

Build = t.Mapping[str, t.Any]


class BuildError(RuntimeError):
    """An image cannot be built; the text names it and the cause, ``log`` has the last lines."""

    def __init__(self, message: str, log: t.Sequence[str] = ()) -> None:
        super().__init__(message)
        self.log = list(log)


def built(client: docker_engine.Client, build: Build) -> dict[str, t.Any] | None:
    """The image of a build, where it was made from the same source and its base is still the same; else None."""
    found = docker_engine.inspect_image(client, build["image"])
    labels = ((found or {}).get("Config") or {}).get("Labels") or {}
    if found is None or labels.get(SOURCE_LABEL) != build["source"]:
        return None
    base, _space, base_id = labels.get(BASE_LABEL, "").partition(" ")
    now = docker_engine.inspect_image(client, base) if base else None
    # A base that is gone has not changed.
    return None if now is not None and now["Id"] != base_id else found


def program(name: str) -> str:
    """Find the CLI beside this Python, else on the path. Raises BuildError."""
    beside = os.path.join(os.path.dirname(sys.executable), name)
    found = beside if os.access(beside, os.X_OK) else shutil.which(name)
    if found is None:
        raise BuildError(f"the build host has no program '{name}'; install the Python package langgraph-cli there")
    return found


@contextlib.contextmanager
def folders(builds: t.Sequence[Build]) -> t.Iterator[dict[str, str]]:
    """The applications' folders, by image: as they are, or unpacked from the archives that were shipped.

    Raises BuildError, SpoolError.
    """
    with contextlib.ExitStack() as stack:
        found = {build["image"]: build["path"] for build in builds}
        shipped = [build for build in builds if build["checksum"]]
        # Two images of one folder share it.
        for build in shipped:
            stack.callback(pathlib.Path(build["path"]).unlink, missing_ok=True)
        work = stack.enter_context(_spool.work()) if shipped else ""
        for number, build in enumerate(shipped):
            # The CLI calls it so in the image too: two build hosts must not make two images of one folder.
            folder = os.path.join(work, str(number), os.path.basename(build["folder"]))
            _unpack(build, folder)
            found[build["image"]] = folder
        yield found


def _unpack(build: Build, folder: str) -> None:
    """Unpack what was shipped, where it is that: it is opened once. Raises BuildError."""
    if os.path.dirname(build["path"]) != _spool.check():
        raise BuildError(
            f"image '{build['image']}': its source directory was sent to a directory other than '{_spool.place()}'"
        )
    try:
        with _spool.open_file(build["path"]) as packed:
            if _spool.checksum(packed) != build["checksum"]:
                raise BuildError(
                    f"image '{build['image']}': its source directory was damaged in transit; run the play again"
                )
            with tarfile.open(fileobj=packed) as archive:
                # As it was packed, of the user's own folder; what is asked for is what Python did before it had filters.
                how = {"filter": "fully_trusted"} if hasattr(tarfile, "fully_trusted_filter") else {}
                archive.extractall(folder, **how)  # type: ignore[arg-type]
    except (OSError, tarfile.TarError) as error:
        raise BuildError(f"image '{build['image']}': its source directory cannot be unpacked: {error}") from error


def validate(cli: str, build: Build, folder: str) -> str:
    """Have the CLI check the configuration and the files that it names; give the base image. Raises BuildError."""
    config = os.path.join(folder, build["config"])
    if not os.path.isfile(config):
        raise BuildError(
            f"image '{build['image']}', option 'config': the source directory has no file '{build['config']}'"
        )
    with tempfile.TemporaryDirectory() as scratch, ThreadPoolExecutor(max_workers=2) as pool:
        dockerfile = os.path.join(scratch, "Dockerfile")
        # The second one resolves the paths of graphs and dependencies, which `validate` does not. Most of their time is
        # the CLI's own start.
        commands = (
            [cli, "validate", "-c", config],
            [cli, "dockerfile", dockerfile, "-c", config, *_base_options(build)],
        )
        for code, lines in pool.map(lambda command: _run(command, folder, {}, ()), commands):
            if code != 0:
                problem = f"image '{build['image']}', option 'config': {build['config']}: {_cause(lines)}"
                raise BuildError(problem, lines)
        with open(dockerfile, encoding="utf-8") as file:
            found = [line.split() for line in file if line.startswith("FROM ")]
    return found[0][1] if found else ""


def _base_options(build: Build) -> list[str]:
    options = ["--base-image", build["base_image"]] if build["base_image"] else []
    return options + (["--api-version", build["api_version"]] if build["api_version"] else [])


def make(client: docker_engine.Client, cli: str, build: Build, folder: str, base: str) -> dict[str, t.Any]:
    """Build one image and give it its name only when it is complete and tells no secret. Raises BuildError."""
    image, unnamed = build["image"], f"langgraph-build:{build['source'][:24]}"
    if build["pull"]:
        # Here rather than by the CLI, which does the same: which base it was is written into the image.
        code, lines = _run(["docker", "pull", base], folder, {}, ())
        if code != 0:
            raise BuildError(f"image '{image}', option 'base_image': '{base}' cannot be pulled: {_cause(lines)}", lines)
    base_id = (docker_engine.inspect_image(client, base) or {}).get("Id")
    if base_id is None:
        raise BuildError(f"image '{image}', option 'base_image': the build host has no image '{base}'; set pull: true")
    before = _state(client)
    labels = {SOURCE_LABEL: build["source"], BASE_LABEL: f"{base} {base_id}"}
    code, lines = _build(cli, build, folder, labels, unnamed)
    if code != 0:
        raise BuildError(f"image '{image}': 'langgraph build' failed: {_why(client, lines, before)}", lines)
    try:
        name = _readable(client, unnamed, build)
        if name:
            docker_engine.remove_image(client, unnamed)
            _give_back(client, before)
            raise BuildError(
                f"image '{image}', option 'build_args': the value of {name} stays readable in the image; move it to "
                "build_secrets, or list its name in readable_build_args"
            )
        docker_engine.tag_image(client, unnamed, image)
    finally:
        docker_engine.remove_image(client, unnamed)
    return docker_engine.inspect_image(client, image) or {}


def _why(client: docker_engine.Client, lines: t.Sequence[str], before: _State) -> str:
    """Why a build failed. What it leaves for the next one to go on with is what fills a disk, and goes first."""
    cause = _cause(lines)
    if "no space left" not in cause.lower():
        return cause
    if _give_back(client, before):
        return "the disk of the build host was full; the space that the build had used was reclaimed; free some more"
    return (
        "the disk of the build host is full, and BuildKit keeps the space that the build had used until the engine restarts; "
        "free some space there, then run systemctl restart docker and docker builder prune"
    )


class _State(t.NamedTuple):
    """The engine before a build: its images, the time in seconds of the epoch, its folder and the free bytes there."""

    images: set[str]
    time: float
    root: str
    free: int


def _state(client: docker_engine.Client) -> _State:
    root = docker_engine.engine(client)["root"]
    return _State(docker_engine.all_image_ids(client), time.time(), root, free_bytes(root))


def _give_back(client: docker_engine.Client, before: _State) -> bool:
    """Remove what a build has left for the next one to go on with: images between its steps, or BuildKit's cache.

    Tells whether the space is there again. BuildKit removes a step that failed by itself, in a second or two, and cannot
    even list its cache on a full disk until then; but where it finds no byte to note that down, it keeps the step until the
    engine starts anew (seen: engine 26.1, metadata_v2.db: no space left on device).
    """
    docker_engine.remove_images(client, docker_engine.all_image_ids(client) - before.images)
    deadline = time.monotonic() + _PATIENCE
    while True:
        with contextlib.suppress(docker_engine.EngineError):
            _prune(docker_engine.build_cache_since(client, before.time))
            if free_bytes(before.root) > before.free * _NEARLY_ALL:
                return True
        if time.monotonic() > deadline:
            return False
        time.sleep(1)


def _prune(cached: t.Sequence[str]) -> None:
    if cached:
        # The library's own call takes no filter before version 7; the engine reads this one as a pattern.
        _run(["docker", "builder", "prune", "--all", "--force", f"--filter=id=^({'|'.join(cached)})$"], "/", {}, ())


def _build(cli: str, build: Build, folder: str, labels: t.Mapping[str, str], tag: str) -> tuple[int, list[str]]:
    config = os.path.join(folder, build["config"])
    command = [cli, "build", "-t", tag, "-c", config, *_base_options(build), "--no-pull", "--force-rm"]
    command += [f"--network={build['network']}"] if build["network"] else []
    command += [f"--label={name}={value}" for name, value in labels.items()]
    # The value comes from the environment, where no list of processes shows it.
    command += [f"--build-arg={name}" for name in build["build_args"]]
    secret = [*build["build_args"].values(), *build["build_secrets"].values()]
    environment = dict(build["build_args"])
    for number, (name, value) in enumerate(build["build_secrets"].items()):
        # Nor is there a file that a killed build would leave.
        variable = f"LANGGRAPH_BUILD_SECRET_{number}"
        command.append(f"--secret=id={name},env={variable}")
        environment |= {variable: value, "DOCKER_BUILDKIT": "1"}
    return _run(command, folder, environment, secret)


def _readable(client: docker_engine.Client, image: str, build: Build) -> str | None:
    """Name of a build argument or secret whose value an owner of the image can read in its history or environment."""
    text = docker_engine.image_texts(client, image)
    for name, value in build["build_args"].items():
        if name not in build["readable_build_args"] and value and any(f"{name}={value}" in line for line in text):
            return name
    secrets = build["build_secrets"].items()
    return next(
        (name for name, value in secrets if value.strip() and any(value.strip() in line for line in text)), None
    )


def _run(
    command: t.Sequence[str], folder: str, environment: t.Mapping[str, str], secret: t.Sequence[str]
) -> tuple[int, list[str]]:
    """Run the CLI; give its exit code and its last lines, without colours and without what is secret."""
    quiet = {"LANGGRAPH_CLI_NO_ANALYTICS": "1", "NO_COLOR": "1"}
    done = run(command, folder=folder, environment={**quiet, **environment}, one_output=True)
    text = _COLOUR.sub("", done.stdout)
    # A builder may print each line of a value with something before it.
    hidden = {part for value in secret for part in (value, *value.split("\n")) if part.strip()}
    for part in sorted(hidden, key=len, reverse=True):
        text = text.replace(part, "********")
    lines = [line.rstrip() for line in re.split(r"[\r\n]+", text) if line.strip()]
    return done.returncode, lines[-LOG_LINES:]


def _cause(lines: t.Sequence[str]) -> str:
    """The line of the output that tells the cause, else its last one."""
    for pattern in _CAUSES:
        # BuildKit's own last line names the step alone.
        found = next((line for line in reversed(lines) if pattern.search(line) and _STEP not in line), None)
        if found is not None:
            return shown(found.strip(), longest=300)
    return shown(lines[-1], longest=300) if lines else "it said nothing"


def forget(client: docker_engine.Client, image_id: str, kept: t.Collection[str]) -> None:
    """Remove the image that a name stood for before, unless it has another name or is ``kept``, as a revision needs it."""
    if image_id not in kept:
        docker_engine.remove_image(client, image_id)


def told(image: str, found: t.Mapping[str, t.Any] | None, action: str) -> dict[str, t.Any]:
    """One entry of the module's result."""
    found = found or {}
    return {
        "image": normal_reference(image),
        "action": action,
        "image_id": found.get("Id"),
        "content": docker_engine.content_of_inspected(found) if found else None,
        "digests": list(found.get("RepoDigests") or ()),
        "architecture": found.get("Architecture"),
    }
