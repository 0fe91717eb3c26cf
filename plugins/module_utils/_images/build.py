# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Build images with ``langgraph build``: find images that are up to date, run the command, report a failure in one line."""

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
from ansible_collections.selfhost.langgraph.plugins.module_utils._common.image_reference import (
    normal_reference,
    repository_of,
)
from ansible_collections.selfhost.langgraph.plugins.module_utils._common.problems import printable
from ansible_collections.selfhost.langgraph.plugins.module_utils._host import docker_engine
from ansible_collections.selfhost.langgraph.plugins.module_utils._host import spool as _spool
from ansible_collections.selfhost.langgraph.plugins.module_utils._host.disk import free_bytes

SOURCE_LABEL = "selfhost.langgraph.source"
BASE_LABEL = "selfhost.langgraph.base"
# The name that a build was given: an image that somebody derived from it or renamed has another one.
NAME_LABEL = "selfhost.langgraph.name"
LOG_LINES = 25
# Seconds for BuildKit to remove a failed step (seen: two).
_PATIENCE = 15
# Fraction of the bytes that were free; others use the disk too.
_NEARLY_ALL = 0.8
# Lines of a build's output that show why it failed, the most specific first.
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
    """An image cannot be built; the message names it and the cause, ``log`` has the last lines."""

    def __init__(self, message: str, log: t.Sequence[str] = ()) -> None:
        super().__init__(message)
        self.log = list(log)


def built(client: docker_engine.Client, build: Build) -> dict[str, t.Any] | None:
    """Return the image of a build if it was built from the same source and its base is unchanged; else None."""
    found = docker_engine.inspect_image(client, build["image"])
    labels = ((found or {}).get("Config") or {}).get("Labels") or {}
    if found is None or labels.get(SOURCE_LABEL) != build["source"]:
        return None
    base, _space, base_id = labels.get(BASE_LABEL, "").partition(" ")
    now = docker_engine.inspect_image(client, base) if base else None
    # A base image that no longer exists counts as unchanged.
    return None if now is not None and now["Id"] != base_id else found


def program(name: str) -> str:
    """Find the CLI next to this Python, else on the path. Raises BuildError."""
    sibling = os.path.join(os.path.dirname(sys.executable), name)
    found = sibling if os.access(sibling, os.X_OK) else shutil.which(name)
    if found is None:
        raise BuildError(f"the build host has no program '{name}'; install the Python package langgraph-cli there")
    return found


@contextlib.contextmanager
def source_directories(builds: t.Sequence[Build]) -> t.Iterator[dict[str, str]]:
    """Provide the applications' directories, by image: as they are, or unpacked from the shipped archives.

    Raises BuildError, SpoolError.
    """
    with contextlib.ExitStack() as stack:
        found = {build["image"]: build["path"] for build in builds}
        shipped = [build for build in builds if build["checksum"]]
        # Two images of one directory share its archive.
        for build in shipped:
            stack.callback(pathlib.Path(build["path"]).unlink, missing_ok=True)
        work = stack.enter_context(_spool.work()) if shipped else ""
        for number, build in enumerate(shipped):
            # The CLI uses the name in the image too: two build hosts must build the same image from one directory.
            directory = os.path.join(work, str(number), os.path.basename(build["directory"]))
            _unpack(build, directory)
            found[build["image"]] = directory
        yield found


def _unpack(build: Build, directory: str) -> None:
    """Unpack a shipped archive if its checksum matches; the file is opened once. Raises BuildError."""
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
                # The archive is of the user's own directory; this is what Python did before it had filters.
                how = {"filter": "fully_trusted"} if hasattr(tarfile, "fully_trusted_filter") else {}
                archive.extractall(directory, **how)  # type: ignore[arg-type]
    except (OSError, tarfile.TarError) as error:
        raise BuildError(f"image '{build['image']}': its source directory cannot be unpacked: {error}") from error


def validate(cli: str, build: Build, directory: str) -> str:
    """Check the configuration and the files that it names with the CLI; return the base image. Raises BuildError."""
    config = os.path.join(directory, build["config"])
    if not os.path.isfile(config):
        raise BuildError(
            f"image '{build['image']}', option 'config': the source directory has no file '{build['config']}'"
        )
    with tempfile.TemporaryDirectory() as scratch, ThreadPoolExecutor(max_workers=2) as pool:
        dockerfile = os.path.join(scratch, "Dockerfile")
        # The second command resolves the paths of graphs and dependencies, which `validate` does not. Most of their time
        # is the start of the CLI.
        commands = (
            [cli, "validate", "-c", config],
            [cli, "dockerfile", dockerfile, "-c", config, *_base_options(build)],
        )
        for code, lines in pool.map(lambda command: _run(command, directory, {}, ()), commands):
            if code != 0:
                problem = f"image '{build['image']}', option 'config': {build['config']}: {_cause(lines)}"
                raise BuildError(problem, lines)
        with open(dockerfile, encoding="utf-8") as file:
            found = [line.split() for line in file if line.startswith("FROM ")]
    return found[0][1] if found else ""


def _base_options(build: Build) -> list[str]:
    options = ["--base-image", build["base_image"]] if build["base_image"] else []
    return options + (["--api-version", build["api_version"]] if build["api_version"] else [])


def make(client: docker_engine.Client, cli: str, build: Build, directory: str, base: str) -> dict[str, t.Any]:
    """Build one image, and tag it only when it is complete and exposes no secret. Raises BuildError."""
    image, unnamed = build["image"], f"langgraph-build:{build['source'][:24]}"
    if build["pull"]:
        # Pulled here rather than by the CLI, because the id of the base is recorded in the image's labels.
        code, lines = _run(["docker", "pull", base], directory, {}, ())
        if code != 0:
            raise BuildError(f"image '{image}', option 'base_image': '{base}' cannot be pulled: {_cause(lines)}", lines)
    base_id = (docker_engine.inspect_image(client, base) or {}).get("Id")
    if base_id is None:
        raise BuildError(_no_base(image, base, docker_engine.image_ids(client)))
    before = _state(client)
    labels = {SOURCE_LABEL: build["source"], BASE_LABEL: f"{base} {base_id}", NAME_LABEL: normal_reference(image)}
    code, lines = _build(cli, build, directory, labels, unnamed)
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


def _no_base(image: str, base: str, images: t.Iterable[str]) -> str:
    """Return the problem of a missing base image. The CLI makes its tag of the Python version in langgraph.json."""
    name, _colon, tag = base.rpartition(":")
    tags = sorted(found for known in images for before, _colon, found in [known.rpartition(":")] if before == name)
    if not tags:
        return f"image '{image}', option 'base_image': the build host has no image '{base}'; set pull: true"
    return (
        f"image '{image}', option 'base_image': python_version in langgraph.json asks for the tag {tag} of '{name}', and the build "
        f"host has {', '.join(tags)}; change python_version, or provide that base image"
    )


def _why(client: docker_engine.Client, lines: t.Sequence[str], before: _State) -> str:
    """Return why a build failed. If the disk is full, remove what the build left in the cache first."""
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
    """The engine before a build: its images, the time in seconds since the epoch, its directory and the free bytes there."""

    images: set[str]
    time: float
    root: str
    free: int


def _state(client: docker_engine.Client) -> _State:
    root = docker_engine.engine(client)["root"]
    return _State(docker_engine.all_image_ids(client), time.time(), root, free_bytes(root))


def _give_back(client: docker_engine.Client, before: _State) -> bool:
    """Remove what a build left for the next one to continue with: intermediate images, or BuildKit's cache.

    Return whether the space is free again. BuildKit removes a failed step by itself, in a second or two, and cannot even
    list its cache on a full disk until then; but if it has no space to record the removal, it keeps the step until the
    engine restarts (seen: engine 26.1, metadata_v2.db: no space left on device).
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


def _build(cli: str, build: Build, directory: str, labels: t.Mapping[str, str], tag: str) -> tuple[int, list[str]]:
    config = os.path.join(directory, build["config"])
    command = [cli, "build", "-t", tag, "-c", config, *_base_options(build), "--no-pull", "--force-rm"]
    command += [f"--network={build['network']}"] if build["network"] else []
    command += [f"--label={name}={value}" for name, value in labels.items()]
    # The value is passed in the environment, so that no process list shows it.
    command += [f"--build-arg={name}" for name in build["build_args"]]
    secret = [*build["build_args"].values(), *build["build_secrets"].values()]
    environment = dict(build["build_args"])
    for number, (name, value) in enumerate(build["build_secrets"].items()):
        # Also in the environment, so that a killed build leaves no file.
        variable = f"LANGGRAPH_BUILD_SECRET_{number}"
        command.append(f"--secret=id={name},env={variable}")
        environment |= {variable: value, "DOCKER_BUILDKIT": "1"}
    return _run(command, directory, environment, secret)


def _readable(client: docker_engine.Client, image: str, build: Build) -> str | None:
    """Return the name of a build argument or secret whose value is readable in the image's history or environment."""
    text = docker_engine.image_texts(client, image)
    for name, value in build["build_args"].items():
        if name not in build["readable_build_args"] and value and any(f"{name}={value}" in line for line in text):
            return name
    secrets = build["build_secrets"].items()
    return next(
        (name for name, value in secrets if value.strip() and any(value.strip() in line for line in text)), None
    )


def _run(
    command: t.Sequence[str], directory: str, environment: t.Mapping[str, str], secret: t.Sequence[str]
) -> tuple[int, list[str]]:
    """Run the CLI; return its exit code and its last lines, without colours and with secrets masked."""
    quiet = {"LANGGRAPH_CLI_NO_ANALYTICS": "1", "NO_COLOR": "1"}
    done = run(command, directory=directory, environment={**quiet, **environment}, one_output=True)
    text = _COLOUR.sub("", done.stdout)
    # A builder may print each line of a value with a prefix.
    hidden = {part for value in secret for part in (value, *value.split("\n")) if part.strip()}
    for part in sorted(hidden, key=len, reverse=True):
        text = text.replace(part, "********")
    lines = [line.rstrip() for line in re.split(r"[\r\n]+", text) if line.strip()]
    return done.returncode, lines[-LOG_LINES:]


def _cause(lines: t.Sequence[str]) -> str:
    """Return the line of the output that shows the cause, else the last line."""
    for pattern in _CAUSES:
        # BuildKit's own last line only names the step.
        found = next((line for line in reversed(lines) if pattern.search(line) and _STEP not in line), None)
        if found is not None:
            return printable(found.strip(), longest=300)
    return printable(lines[-1], longest=300) if lines else "it printed nothing"


def forget(client: docker_engine.Client, image_id: str, needed: t.Collection[str]) -> None:
    """Remove the previous image of a name, unless it has another name or is in ``needed`` because a revision needs it."""
    if image_id not in needed:
        docker_engine.remove_image(client, image_id)


def prune(client: docker_engine.Client, names: t.Iterable[str]) -> list[str]:
    """Remove these images, except those in containers; return the names of the removed ones."""
    return [name for name in names if docker_engine.remove_image(client, name)]


def outdated(
    images: t.Iterable[t.Mapping[str, t.Any]],
    built_now: t.Collection[str],
    keep: int,
    keep_names: t.Collection[str],
    needed: t.Collection[str],
) -> list[str]:
    """Return the names of the images to remove, so that each repository in ``built_now`` keeps its ``keep`` newest builds.

    ``images`` are those of the engine; ``keep_names`` and the ids in ``needed`` stay. Only images that this module has built
    count, and none that somebody has renamed, has given another name, or has derived from one.
    """
    current = {normal_reference(name) for name in built_now}
    stay = {normal_reference(name) for name in keep_names}
    earlier: dict[str, list[tuple[int, str, str]]] = {repository_of(name): [] for name in current}
    for image in images:
        names = list(image.get("RepoTags") or [])
        name = normal_reference(names[0]) if len(names) == 1 else None
        ours = (image.get("Labels") or {}).get(NAME_LABEL)
        if name is not None and name == ours and name not in current and repository_of(name) in earlier:
            earlier[repository_of(name)].append((int(image["Created"]), name, image["Id"]))
    found = []
    for repository, builds in earlier.items():
        kept = max(0, keep - sum(repository_of(name) == repository for name in current))
        older = sorted(builds, reverse=True)[kept:]
        found += [name for _created, name, image_id in older if name not in stay and image_id not in needed]
    return found


def result_entry(image: str, found: t.Mapping[str, t.Any] | None, action: str) -> dict[str, t.Any]:
    """Return one entry of the module's result."""
    found = found or {}
    return {
        "image": normal_reference(image),
        "action": action,
        "image_id": found.get("Id"),
        "content": docker_engine.content_of_inspected(found) if found else None,
        "digests": list(found.get("RepoDigests") or ()),
        "architecture": found.get("Architecture"),
    }
