# Copyright (c) 2026, the selfhost.langgraph authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The image of an archive: the engine of the host has it, under the name that the deployments use."""

from __future__ import annotations

import importlib.util
import typing as t
from pathlib import Path

import pytest

pytestmark = pytest.mark.essential


@pytest.fixture(scope="module")
def archived() -> t.Any:
    """Return the module that has written the archive."""
    spec = importlib.util.spec_from_file_location("small_image", Path(__file__).parents[1] / "small_image.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_engine_has_the_image_under_its_name(host, archived):
    found = host.check_output(f"docker image inspect --format '{{{{.Id}}}}' {archived.NAME}")
    assert found == archived.small_image().image_id


def test_its_layers_are_complete(host, archived):
    """The role transfers only the layers that the host lacks, so the engine must have put them together."""
    host.check_output(f"docker create --name small-probe {archived.NAME}")
    try:
        assert host.check_output("docker cp small-probe:/app/file - | tar --extract --to-stdout") == archived.CONTENT
    finally:
        host.check_output("docker rm small-probe")


def test_no_part_of_the_transfer_is_left(host):
    found = host.run("find /var/lib/langgraph /var/tmp -type f '(' -name 'part-*' -o -name '*.tar' ')'")
    assert found.stdout == ""
