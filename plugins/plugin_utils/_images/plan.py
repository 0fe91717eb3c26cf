# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""The images that all hosts will run, and the images that one host lacks. Pure.

Each image is pinned once per play, to a registry digest or to an id, for all hosts together. The *needs* of one host each
have image (as written), deployments, source (build, archive, registry or host), on_host (the id of that name on the host),
digests (those of the same repository on the host), and for an archive its path, archive_id, architecture and content.
"""

from __future__ import annotations

import typing as t

from ansible_collections.selfhost.langgraph.plugins.module_utils._common.image_reference import (
    normal_reference,
    repository_of,
    short,
)
from ansible_collections.selfhost.langgraph.plugins.module_utils._common.problems import Problem, printable
from ansible_collections.selfhost.langgraph.plugins.plugin_utils._images.archive import ArchivedImage

Need = t.Mapping[str, t.Any]
Needs = t.Sequence[Need]
NOT_BUILT = "not built yet"
# A download is unpacked next to its archive; layers of Python packages unpack to about three times their size (seen: 2.7
# for the image of the demo).
UNPACKED = 4


def wanted_images(
    deployments: t.Iterable[t.Mapping[str, t.Any]], host: t.Mapping[str, t.Any]
) -> list[dict[str, t.Any]]:
    """Return the images that the deployments with ``state: present`` run, each once, in the format of the role image.

    ``host`` has its deployments and images, as deployment_info returns them. Its images that no registry has get ``pull: false``.
    """
    kept = from_no_registry(host["deployments"])
    wanted: dict[str, dict[str, t.Any]] = {}
    for item in deployments:
        if item["state"] != "present":
            continue
        reference = normal_reference(item["image"])
        entry = wanted.setdefault(reference, {"image": item["image"], "deployments": []})
        entry["deployments"].append(item["name"])
        if item.get("build"):
            entry["build"] = item["build"]
        if reference in kept and host["images"].get(reference) == kept[reference]:
            entry["pull"] = False
    return list(wanted.values())


def listed_images(lists: t.Iterable[t.Any]) -> list[str]:
    """Return the images that the raw lists of deployments name, sorted. Entries that the check would refuse have none."""
    entries = (entry for found in lists if isinstance(found, (list, tuple)) for entry in found)
    images = (entry.get("image") for entry in entries if isinstance(entry, t.Mapping))
    return sorted({str(image) for image in images if isinstance(image, str) and image})


def make_needs(
    wanted: t.Iterable[t.Mapping[str, t.Any]],
    builds: t.Collection[str],
    archives: t.Mapping[str, t.Mapping[str, ArchivedImage]],
    on_host: t.Mapping[str, str],
    pull: str,
) -> list[dict[str, t.Any]]:
    """Return the needs of one host, each image once.

    ``wanted`` have image, deployments and perhaps ``pull: false``. ``builds`` are references, ``archives`` path ->
    reference -> image, ``on_host`` every reference of the host -> id.
    """
    archived = {name: (path, image) for path, images in archives.items() for name, image in images.items()}
    needs: dict[str, dict[str, t.Any]] = {}
    for item in wanted:
        image = item["image"]
        reference = normal_reference(image)
        if reference in needs:
            needs[reference]["deployments"] += item["deployments"]
            continue
        here = on_host.get(reference)
        need = {
            "image": image,
            "deployments": list(item["deployments"]),
            "source": _source(image, builds, archived, pull if item.get("pull", True) else "never"),
            "on_host": here,
            "digests": sorted(name for name in on_host if name.startswith(f"{repository_of(image)}@")),
        }
        if need["source"] == "archive":
            path, found = archived[reference]
            need |= {"archive": path, "archive_id": found.image_id, "architecture": found.architecture}
            need["content"] = found.content
        needs[reference] = need
    return list(needs.values())


def from_no_registry(deployments: t.Iterable[t.Mapping[str, t.Any]]) -> dict[str, str]:
    """Return reference -> id of the images that serve on a host, or served last, and were built or copied rather than pulled.

    No registry has them. An image of the same name at Docker Hub belongs to somebody else.
    """
    found = {}
    for deployment in deployments:
        last = next((item for item in deployment["revisions"] if item["number"] == deployment["last"]), None)
        if last and last["image"] and not last["image_digest"]:
            found[normal_reference(last["image"])] = last["image_id"]
    return found


def _source(image: str, builds: t.Collection[str], archived: t.Collection[str], pull: str) -> str:
    """Return the source of an image: an entry of image_builds, an archive, the host itself, or its registry."""
    reference = normal_reference(image)
    if reference in builds:
        return "build"
    if reference in archived:
        return "archive"
    return "host" if pull == "never" or image.startswith("sha256:") else "registry"


def need_problems(needs: Needs, architecture: str | None) -> t.Iterator[Problem]:
    """Report archives for another architecture than the host's, and images that only the host could have and lacks."""
    for need in needs:
        if need["source"] == "host" and need["on_host"] is None:
            if need["image"].startswith("sha256:"):
                finding = f"the host has no image '{short(need['image'])}', and an image cannot be pulled by id"
                yield Problem(_label(need), "image", finding, "use its name, or load it there")
            else:
                remedy = "load it there, list its archive in image_archives or its directory in image_builds, or set image_pull: always"
                yield Problem(_label(need), "image", f"the host has no image '{printable(need['image'])}'", remedy)
        if need["source"] == "archive":
            yield from _architecture_problems(need, [need["architecture"]], architecture)


def to_resolve(
    hosts: t.Sequence[Needs], pull: str, pinned: t.Mapping[str, t.Any] | None = None
) -> list[dict[str, t.Any]]:
    """Return the images to resolve in registries: with ``missing`` only those that hosts lack or have in different versions.

    Images in ``pinned`` were resolved by an earlier batch of the play. Returns image, deployments, and ``known``, the
    digests that every host has; each image once.
    """
    found: dict[str, dict[str, t.Any]] = {}
    settled = {normal_reference(image) for image in pinned or ()}
    for need in (need for needs in hosts for need in needs if need["source"] == "registry"):
        if normal_reference(need["image"]) in settled:
            continue
        start = {"image": need["image"], "deployments": [], "known": need["digests"], "ids": []}
        entry = found.setdefault(normal_reference(need["image"]), start)
        entry["known"] = [digest for digest in entry["known"] if digest in need["digests"]]
        entry["deployments"] += [name for name in need["deployments"] if name not in entry["deployments"]]
        entry["ids"].append(need["on_host"])
    asked = []
    for entry in found.values():
        ids = set(entry.pop("ids"))
        agreed = len(ids) == 1 and None not in ids
        if not agreed or (pull == "always" and "@" not in entry["image"]):
            asked.append(entry)
    return asked


def plan_images(
    needs: Needs,
    hosts: t.Sequence[Needs],
    engine: t.Mapping[str, t.Any],
    resolved: t.Mapping[str, t.Mapping[str, t.Any]],
    built: t.Mapping[str, t.Mapping[str, t.Any]],
) -> dict[str, t.Any]:
    """Return the image that each name stands for on all hosts, and the images that one host lacks.

    ``needs`` are the host's own, ``hosts`` those of all hosts; ``engine`` has images (reference or content -> id),
    architecture and free (bytes); ``resolved`` and ``built`` are by image. Returns

    - ids: name as written -> id on the host; of an image that the host lacks the id elsewhere or NAME@DIGEST;
    - pull: NAME@DIGEST; tag: image -> its new name; load: archive, image, image_id; save: built images that the host lacks
      and no registry has;
    - problems: lines.
    """
    plan: dict[str, t.Any] = {"ids": {}, "pull": [], "tag": [], "load": [], "save": [], "problems": []}
    size = 0
    # One name can be written in several ways.
    resolved = {normal_reference(name): answer for name, answer in resolved.items()}
    for need in needs:
        pin = _pin(need, resolved, built)
        plan["problems"] += [str(problem) for problem in _problems(need, pin, hosts, engine)]
        if pin is None:
            # All hosts that have the name have the same image. A host that lacks it is a problem.
            plan["ids"] |= {} if need["on_host"] is None else {need["image"]: need["on_host"]}
            continue
        reference, wanted = normal_reference(need["image"]), pin["pin"]
        here, content = engine["images"].get(wanted), pin.get("content")
        if here is None and content is not None and content in engine["images"]:
            # The image store of another engine has assigned another id.
            here = wanted = engine["images"][content]
        plan["ids"][need["image"]] = here or wanted
        if here is not None and here == need["on_host"]:
            continue
        if here is not None or "@" in wanted:
            plan["tag"] += [] if "@" in need["image"] else [{"image": wanted, "name": reference}]
        if here is None and "@" in wanted:
            plan["pull"].append(wanted)
            size += (pin.get("size") or 0) * UNPACKED
        elif here is None and need["source"] == "archive":
            plan["load"].append({"archive": need["archive"], "image": reference, "deployments": need["deployments"]})
        elif here is None and wanted != NOT_BUILT:
            plan["save"].append({"image": reference, "deployments": need["deployments"]})
    if engine["free"] is not None and size > engine["free"]:
        plan["problems"].append(_full(needs, plan["pull"], size, engine))
    return plan


def _pin(
    need: Need, resolved: t.Mapping[str, t.Mapping[str, t.Any]], built: t.Mapping[str, t.Mapping[str, t.Any]]
) -> dict[str, t.Any] | None:
    """Return the image that all hosts must run: its pin, size and architectures; None: the one that the host has."""
    reference = normal_reference(need["image"])
    if need["source"] == "archive":
        return {"pin": need["archive_id"], "architectures": [need["architecture"]], "content": need["content"]}
    # All hosts can pull a built image that was pushed.
    answer = resolved.get(reference)
    if answer is not None:
        return {"pin": answer["digest"], "size": answer["size"], "architectures": answer["architectures"]}
    if need["source"] == "build":
        image = built.get(reference, {})
        pin = {"pin": image.get("image_id") or NOT_BUILT, "architectures": [image.get("architecture")]}
        return {**pin, "content": image.get("content")}
    return None


def _problems(
    need: Need, pin: t.Mapping[str, t.Any] | None, hosts: t.Sequence[Needs], engine: t.Mapping[str, t.Any]
) -> t.Iterator[Problem]:
    label, image = _label(need), need["image"]
    if pin is None:
        name = normal_reference(image)
        ids = {other["on_host"] for needs in hosts for other in needs if normal_reference(other["image"]) == name}
        if need["source"] == "host" and len(ids) > 1:
            listed = " and ".join(sorted(short(item) if item else "none" for item in ids))
            finding = f"hosts of this play have different images with the name '{image}': {listed}"
            yield Problem(label, "image", finding, "use an archive, a registry, or its id")
        return
    yield from _architecture_problems(need, pin["architectures"], engine["architecture"])


def _architecture_problems(need: Need, architectures: t.Iterable[str | None], host: str | None) -> t.Iterator[Problem]:
    known = [name for name in architectures if name]
    if known and host and host not in known:
        finding = f"'{need['image']}' is built for {', '.join(known)}, but the host is {host}"
        yield Problem(_label(need), "image", finding, f"build it for {host}")


def _label(need: Need) -> str:
    return ", ".join(need["deployments"]) or "-"


def _full(needs: Needs, pull: t.Sequence[str], size: int, engine: t.Mapping[str, t.Any]) -> str:
    repositories = {name.partition("@")[0] for name in pull}
    names = [name for need in needs if repository_of(need["image"]) in repositories for name in need["deployments"]]
    finding = f"pulling it requires about {megabytes(size)}, but the host has {megabytes(engine['free'])} free"
    return str(
        Problem(
            ", ".join(names) or "-", "image", f"{finding} in {engine['root']}", "free some space or enlarge the disk"
        )
    )


def megabytes(size: int) -> str:
    """Return a size in GB, MB or kB for messages."""
    unit, name = next((pair for pair in ((1e9, "GB"), (1e6, "MB")) if size >= pair[0]), (1e3, "kB"))
    return f"{size / unit:.1f} {name}" if size < 10 * unit else f"{size / unit:.0f} {name}"
