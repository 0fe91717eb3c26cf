#!/usr/bin/python
# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: image_build
short_description: Build images from application directories with langgraph build
version_added: 0.1.0
author:
  - The selfhost.langgraph authors (@selfhost-langgraph)
description:
  - Builds images of LangGraph applications with C(langgraph build), on the control node or on a build host. The directory is
    shipped to a build host without the files that its C(.dockerignore) excludes.
  - An image that was built from the same files and options is left as it is, and nothing is built.
  - The CLI checks every C(langgraph.json) before the first image is built. An image is tagged only when it is complete.
requirements:
  - The Python package C(langgraph-cli) and the Docker client on the build host.
  - The Python library C(docker) on the control node and on the build host.
extends_documentation_fragment:
  - selfhost.langgraph._attributes
  - selfhost.langgraph._attributes.action
attributes:
  action:
    support: full
  check_mode:
    support: full
  diff_mode:
    support: none
  idempotent:
    support: full
  platform:
    platforms: linux
    support: full
options:
  builds:
    description:
      - The images to build. The options C(merge_env) and C(push) of O(selfhost.langgraph.deployment_check#module:image_builds) are
        accepted and have no effect here.
    type: list
    elements: dict
    required: true
    suboptions:
      image:
        description:
          - Name and tag of the image. An image with a registry, C(REGISTRY/NAME:TAG), can be pushed there.
        type: str
        required: true
      directory:
        description: Directory of the application on the control node. All of it is the build context.
        type: path
        required: true
      config:
        description: Path of C(langgraph.json) in O(builds[].directory).
        type: str
        default: langgraph.json
      base_image:
        description: Base image, instead of the one that the CLI chooses.
        type: str
      api_version:
        description:
          - Version of the server. If it is set neither here nor in C(langgraph.json), the base image is not pinned; a later build
            may use a newer server.
        type: str
      pull:
        description: Whether the base image is pulled. With V(false), the base image on the build host is used.
        type: bool
        default: true
      network:
        description: The network of the build's steps, as for C(docker build). V(none) builds without a network.
        type: str
      build_args:
        description:
          - Values for C(ARG) lines of C(dockerfile_lines). They are passed in the environment, never on a command line.
          - A value that stays readable in the image is refused, unless its name is in O(builds[].readable_build_args). A value that
            is used in a C(RUN) line stays readable.
        type: dict
        default: {}
      readable_build_args:
        description: Names of O(builds[].build_args) that anybody who has the image may read.
        type: list
        elements: str
        default: []
      build_secrets:
        description:
          - Secrets for C(RUN --mount=type=secret,id=NAME) lines of C(dockerfile_lines). They need BuildKit, which is Debian's
            package C(docker-buildx) for engines newer than 22.
          - A changed value does not trigger a new build.
        type: dict
        default: {}
      path:
        description: Directory on the build host, or an archive of it. The action plugin sets it.
        type: path
      checksum:
        description: SHA-256 of the archive. The action plugin sets it.
        type: str
      source:
        description: Hash of everything that the image is built from. The action plugin sets it.
        type: str
  images:
    description: Names of those of O(builds) to build. Without it, all are built.
    type: list
    elements: str
  program:
    description: The CLI on the build host. A name is searched next to the Python interpreter, then on the path.
    type: str
    default: langgraph
  keep:
    description:
      - How many builds of each repository the build host keeps, C(NAME) of C(NAME:TAG); at least 1. After a build, older ones are
        removed, except those that O(builds) or O(keep_names) has, those in a container, and those that kept revisions need.
      - Only images that this module has built under their present name count, and none that you have renamed or given another name.
        One that you have derived from a build counts if you gave it the name of that build.
      - A user who may not read O(config_dir) cannot find out what revisions need, so nothing is removed.
    type: int
    default: 5
  keep_names:
    description: Names of images that stay, besides those of O(builds). The role C(langgraph) passes those of all its deployments.
    type: list
    elements: str
    default: []
  config_dir:
    description: Directory of the deployments on the build host, if it has any. An image that they need is not removed.
    type: path
    default: /etc/langgraph
seealso:
  - module: selfhost.langgraph.image_load
  - module: community.docker.docker_image_push
"""

EXAMPLES = r"""
- name: Build the application's image
  selfhost.langgraph.image_build:
    builds:
      - image: registry.example.com/support-bot:1.4.2
        directory: ../support-bot
        api_version: 0.16.7
  delegate_to: localhost
"""

RETURN = r"""
images:
  description: The images, by name.
  returned: success
  type: dict
  contains:
    image:
      description: Name of the image.
      type: str
    action:
      description: V(keep) if nothing has changed, else V(build).
      type: str
    image_id:
      description: Id of the image; null in check mode if it has to be built.
      type: str
    content:
      description: Identifier of the image's content, independent of its id in an engine's store; null like the id.
      type: str
    digests:
      description: Its digests in registries, once it has been pushed.
      type: list
      elements: str
    architecture:
      description: Architecture that it is built for.
      type: str
pruned:
  description: Names of the earlier builds that were removed; in check mode those that would be, and those that a container keeps.
  returned: success, if the module ran on the build host
  type: list
  elements: str
  sample: [support-bot:1.3.9]
spool:
  description: Directory on the build host to which application directories are shipped; null if nothing has to be shipped.
  returned: success
  type: str
log:
  description: Last lines of a build that failed, without the values of build arguments and secrets.
  returned: failure
  type: list
  elements: str
"""

import typing as t

from ansible_collections.selfhost.langgraph.plugins.module_utils._common.ansible_module import UnloggedModule, require
from ansible_collections.selfhost.langgraph.plugins.module_utils._host import docker_engine
from ansible_collections.selfhost.langgraph.plugins.module_utils._host import spool as _spool
from ansible_collections.selfhost.langgraph.plugins.module_utils._images import build as image_build
from ansible_collections.selfhost.langgraph.plugins.module_utils._revisions import store


def build_all(params: t.Mapping[str, t.Any], *, check_mode: bool) -> tuple[dict[str, dict[str, t.Any]], list[str]]:
    """Build the missing images whose directory is available. Return every image, and the names of the images that it removed.

    Check mode only validates the directories, and returns the names that it would remove. Raises BuildError, EngineError.
    """
    client = docker_engine.connect()
    found = {build["image"]: image_build.built(client, build) for build in params["builds"]}
    images = {name: image_build.result_entry(name, image, "keep") for name, image in found.items() if image is not None}
    missing = [build for build in params["builds"] if build["image"] not in images]
    there = [build for build in missing if build["path"]]
    images |= {build["image"]: image_build.result_entry(build["image"], None, "build") for build in missing}
    if there:
        images |= _build(client, params, there, check_mode=check_mode)
    # The first of two calls only finds out which directories the build host needs.
    if not missing or not (there or check_mode):
        return images, []
    old = _outdated(client, params, list(images))
    return images, old if check_mode else image_build.prune(client, old)


def _build(
    client: docker_engine.Client,
    params: t.Mapping[str, t.Any],
    builds: t.Sequence[image_build.Build],
    *,
    check_mode: bool,
) -> dict[str, dict[str, t.Any]]:
    """Validate all directories, then build the images unless in check mode; return those that were built."""
    images: dict[str, dict[str, t.Any]] = {}
    cli = image_build.program(params["program"])
    with image_build.source_directories(builds) as directories:
        bases = {build["image"]: image_build.validate(cli, build, directories[build["image"]]) for build in builds}
        if check_mode:
            return images
        for build in builds:
            name = build["image"]
            before = docker_engine.inspect_image(client, name)
            made = image_build.make(client, cli, build, directories[name], bases[name])
            images[name] = image_build.result_entry(name, made, "build")
            if before and before["Id"] != made.get("Id"):
                needed = kept_images(params["config_dir"])
                if needed is not None:
                    image_build.forget(client, before["Id"], needed)
    return images


def _outdated(client: docker_engine.Client, params: t.Mapping[str, t.Any], built_now: t.Collection[str]) -> list[str]:
    needed = kept_images(params["config_dir"])
    if needed is None:
        return []
    try:
        images = docker_engine.images(client)
    except docker_engine.EngineError:
        # The build is done; the next one prunes.
        return []
    return image_build.outdated(images, built_now, params["keep"], params["keep_names"], needed)


def kept_images(config_dir: str) -> set[str] | None:
    """Return the ids of the images that kept revisions of the host's deployments need; None if the user may not read them."""
    try:
        deployments = store.read(config_dir, store.deployment_names(config_dir)).values()
    except PermissionError:
        return None
    return {item.content.image_id for deployment in deployments for item in deployment.revisions if item.content}


def main() -> None:
    """Read the options and hand over."""
    build = {
        "image": {"type": "str", "required": True},
        "directory": {"type": "path", "required": True},
        "config": {"type": "str", "default": "langgraph.json"},
        "base_image": {"type": "str"},
        "api_version": {"type": "str"},
        "pull": {"type": "bool", "default": True},
        "network": {"type": "str"},
        "build_args": {"type": "dict", "default": {}, "no_log": True},
        "readable_build_args": {"type": "list", "elements": "str", "default": []},
        "build_secrets": {"type": "dict", "default": {}, "no_log": True},
        "path": {"type": "path"},
        "checksum": {"type": "str"},
        "source": {"type": "str"},
    }
    module = UnloggedModule(
        argument_spec={
            "builds": {"type": "list", "elements": "dict", "required": True, "options": build},
            "images": {"type": "list", "elements": "str"},
            "program": {"type": "str", "default": "langgraph"},
            "keep": {"type": "int", "default": 5},
            "keep_names": {"type": "list", "elements": "str", "default": []},
            "config_dir": {"type": "path", "default": "/etc/langgraph"},
        },
        supports_check_mode=True,
    )
    require(module, ("docker", docker_engine.DOCKER_IMPORT_ERROR))
    try:
        images, pruned = build_all(module.params, check_mode=module.check_mode)
        waits = any(
            images[build["image"]]["action"] == "build" and not build["path"] for build in module.params["builds"]
        )
        spool = _spool.check() if waits else None
    except _spool.SpoolError as error:
        module.fail_json(msg=str(error))
    except image_build.BuildError as error:
        module.fail_json(msg=str(error), log=error.log)
    except docker_engine.EngineError as error:
        module.fail_json(msg=str(error))
    changed = any(image["action"] == "build" for image in images.values())
    # Nothing in it is secret. Masking would garble ids and names if a build argument is as short as "1".
    module.no_log_values = set()
    module.exit_json(changed=changed, images=images, pruned=pruned, spool=spool, invocation={})


if __name__ == "__main__":
    main()
