# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Image archives in both layouts, and what has to be loaded or pulled."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
import typing as t
from pathlib import Path

import pytest

from ansible_collections.selfhost.langgraph.plugins.module_utils._archives import (
    ArchiveError,
    archive_images,
    coming_images,
    missing_images,
)

ONE, TWO = "1" * 64, "2" * 64


def tar(path: Path, **files: bytes) -> str:
    """Write a tar file; ``_`` and ``__`` in a name stand for a dot and a slash."""
    with tarfile.open(path, "w") as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(name.replace("__", "/").replace("_", "."))
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return str(path)


def manifest(*images: tuple[str, t.Any]) -> bytes:
    return json.dumps([{"Config": config, "RepoTags": tags, "Layers": []} for config, tags in images]).encode()


def test_classic_layout(tmp_path: Path) -> None:
    content = manifest((f"{ONE}.json", ["bot:1", "bot:latest"]), (f"{TWO}.json", None))
    path = tar(tmp_path / "a.tar", manifest_json=content)
    assert archive_images(path) == {"bot:1": f"sha256:{ONE}", "bot:latest": f"sha256:{ONE}"}


def test_oci_layout(tmp_path: Path) -> None:
    content = manifest((f"blobs/sha256/{ONE}", ["example.org:5000/team/bot:1"]))
    path = tar(tmp_path / "a.tar", oci__layout=b"{}", index_json=b"{}", manifest_json=content)
    assert archive_images(path) == {"example.org:5000/team/bot:1": f"sha256:{ONE}"}


def test_names_are_those_that_the_engine_lists(tmp_path: Path) -> None:
    path = tar(tmp_path / "a.tar", manifest_json=manifest((f"{ONE}.json", ["docker.io/library/bot:1"])))
    assert archive_images(path) == {"bot:1": f"sha256:{ONE}"}


def test_compressed(tmp_path: Path) -> None:
    plain = Path(tar(tmp_path / "a.tar", manifest_json=manifest((f"{ONE}.json", ["bot:1"]))))
    (tmp_path / "a.tar.gz").write_bytes(gzip.compress(plain.read_bytes()))
    assert archive_images(str(tmp_path / "a.tar.gz")) == {"bot:1": f"sha256:{ONE}"}


def test_missing_file() -> None:
    with pytest.raises(ArchiveError, match="langgraph_image_archives: there is no file '/no/such.tar' on the control"):
        archive_images("/no/such.tar")


def broken(folder: Path) -> dict[str, bytes]:
    whole = Path(tar(folder / "x.tar", layer=bytes(range(256)) * 400, manifest_json=b"[]")).read_bytes()
    return {
        "empty": b"",
        "not a tar file": b"PK\x03\x04 something else",
        "cut short": whole[:700],
        "compressed and cut short": gzip.compress(whole)[:300],
        "compressed and damaged": gzip.compress(whole)[:200] + b"\0" * 200,
        "no manifest": Path(tar(folder / "y.tar", readme=b"hello")).read_bytes(),
        "manifest is a mapping": Path(tar(folder / "y.tar", manifest_json=b'{"a": 1}')).read_bytes(),
        "manifest is cut short": Path(tar(folder / "y.tar", manifest_json=b'[{"Con')).read_bytes(),
        "manifest of numbers": Path(tar(folder / "y.tar", manifest_json=b"[1]")).read_bytes(),
        "tags are numbers": Path(tar(folder / "y.tar", manifest_json=manifest((f"{ONE}.json", [1])))).read_bytes(),
        "image without an id": Path(tar(folder / "y.tar", manifest_json=manifest(("x.json", ["a"])))).read_bytes(),
    }


def test_broken_archives_are_refused_in_one_line(tmp_path: Path) -> None:
    for title, content in broken(tmp_path).items():
        path = tmp_path / "broken.tar"
        path.write_bytes(content)
        with pytest.raises(ArchiveError) as error:
            archive_images(str(path))
        message = str(error.value)
        assert message.startswith(f"langgraph_image_archives: '{path}' is not what 'docker save' writes ("), title
        assert "\n" not in message, title


def test_a_folder_is_no_archive(tmp_path: Path) -> None:
    with pytest.raises(ArchiveError, match="is not what 'docker save' writes"):
        archive_images(str(tmp_path))


ARCHIVES = {"/x/bot.tar": {"bot:1": "sha256:1", "bot:latest": "sha256:1"}, "/x/other.tar": {"other:1": "sha256:2"}}
NEEDS: dict[str, tuple[list[str], dict[str, str], list[str], list[str]]] = {
    "all there": (["bot:1", "x:1"], {"bot:1": "sha256:1", "x:1": "sha256:9"}, [], []),
    "archive": (["bot:1"], {}, ["/x/bot.tar"], []),
    "archive has another image": (["bot:1"], {"bot:1": "sha256:0"}, ["/x/bot.tar"], []),
    "an archive is loaded once": (["bot:1", "bot", "docker.io/library/bot:1"], {}, ["/x/bot.tar"], []),
    "archive that nobody needs": (["x:1"], {"x:1": "sha256:9"}, [], []),
    "pulled, once, as it was written": (["r.example/x:1", "r.example/x:1"], {}, [], ["r.example/x:1"]),
    "no tag": (["x"], {"x:latest": "sha256:9"}, [], []),
    "both": (["other:1", "x:1"], {}, ["/x/other.tar"], ["x:1"]),
}


@pytest.mark.parametrize(("wanted", "on_host", "load", "pull"), NEEDS.values(), ids=NEEDS)
def test_missing_images(wanted: list[str], on_host: dict[str, str], load: list[str], pull: list[str]) -> None:
    assert missing_images(wanted, on_host, ARCHIVES) == (load, pull)


def test_coming_images_are_those_of_the_archives_to_load() -> None:
    archives = {"one.tar": {"a:1": "sha256:1"}, "two.tar": {"b:1": "sha256:2"}}
    assert coming_images(["two.tar"], archives) == {"b:1": "sha256:2"}
