# Copyright (c) 2026, the selfhost.langgraph authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Write an archive with a small image, as `docker save` does: `small_image.py FILE`. The image has one file."""

from __future__ import annotations

import json
import platform
import sys
from pathlib import Path

# The unit tests write the same archives.
sys.path.insert(0, str(Path(__file__).parents[2] / "tests/unit/plugins/plugin_utils/_images"))
from image_files import Image, classic, layer, write

NAME, CONTENT = "small-bot:1", "small"
ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


class SmallImage(Image):
    """An image with a command, without which an engine creates no container."""

    @property
    def config(self) -> bytes:
        """Return the configuration, whose hash is the image's id."""
        return json.dumps({**json.loads(super().config), "config": {"Cmd": ["/nothing"]}}).encode()


def small_image() -> SmallImage:
    """Return the image, for the architecture of this machine."""
    return SmallImage([NAME], [layer(CONTENT, len(CONTENT))], ARCHITECTURES[platform.machine()])


if __name__ == "__main__":
    write(Path(sys.argv[1]), classic(small_image()))
