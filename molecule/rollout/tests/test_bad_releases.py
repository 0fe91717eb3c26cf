# Copyright (c) 2026, the selfhost.langgraph authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A bad release changes nothing: the old revision continues to serve without a failed request, and the play has the reason."""

from __future__ import annotations

import pytest

NAME, PORT = "support-bot", 8123

pytestmark = pytest.mark.release("bookworm")

# Answers like a server that has lost its database.
HALF_WELL = """FROM demo-agent:1
RUN printf '%s\\n' 'import http.server' \\
 'class Handler(http.server.BaseHTTPRequestHandler):' \\
 '    def do_GET(self):' \\
 '        self.send_response(500 if "check_db" in self.path else 200)' \\
 '        self.end_headers()' \\
 '        self.wfile.write(b"{\\"ok\\": true}")' \\
 'http.server.ThreadingHTTPServer(("", 8000), Handler).serve_forever()' > /half_well.py
ENTRYPOINT ["python3", "/half_well.py"]
"""
# Title: the options of the bad release, its image if it needs one, and the message of the play.
BAD = {
    "exits at boot": ({"env": {"LANGSERVE_GRAPHS": "nonsense"}}, None, "the container exited with code"),
    "never answers": (
        {"image": "bad-agent:silent"},
        'FROM demo-agent:1\nENTRYPOINT ["sleep", "1000"]\n',
        "the container runs but does not answer in time",
    ),
    "answers without its database": (
        {"image": "bad-agent:half", "bg_job_shutdown_grace_period_secs": 5},
        HALF_WELL,
        "it answers 500 to the health check of its database",
    ),
    "needs more memory than it may": ({"memory": "24m"}, None, "the container was killed (code 137)"),
}


# One of them always runs.
@pytest.mark.parametrize("title", [pytest.param("exits at boot", marks=pytest.mark.essential), *list(BAD)[1:]])
def test_bad_release(test_host, bot, play, tmp_path, title):
    options, dockerfile, cause = BAD[title]
    if dockerfile:
        test_host.build(options["image"], dockerfile)
    before, serving = test_host.container(NAME), test_host.settings(NAME)["serving"]
    with test_host.load(tmp_path, PORT, "--rate", "50", "--streams", "5", "--runs", "0") as load:
        done = play(bot(**options), langgraph_healthy_deadline=12)
    assert done.returncode != 0
    said = " ".join((done.stdout + done.stderr).split())
    number = test_host.revisions(NAME)[-1]
    assert f"revision {number} of deployment '{NAME}' is not healthy: {cause}" in said, said
    assert f"revision {serving} continues to serve" in said
    assert (load.failed, load.report["streams"]["cut"]) == (0, 0), load.errors
    assert test_host.container(NAME) == before
    failed = next(item for item in test_host.status()[NAME]["revisions"] if item["number"] == number)
    assert failed["state"] == "failed"
    # Kept for inspection, and not started again.
    running = f"docker inspect -f '{{{{.State.Running}}}}' langgraph-{NAME}.{number}"
    assert test_host.wait_until(lambda: test_host.host.check_output(running) == "false", 20)
    assert test_host.host.run(f"systemctl is-enabled langgraph@{NAME}.{number}").stdout.strip() != "enabled"


def test_an_image_that_does_not_exist(test_host, bot, tmp_path):
    before = test_host.containers()
    with test_host.load(tmp_path, PORT, "--rate", "50", "--streams", "5", "--runs", "0") as load:
        done = test_host.play(langgraph_deployments=bot(image="nobody-built:1"))
    assert done.returncode != 0
    assert "the host has no image 'nobody-built:1'" in " ".join((done.stdout + done.stderr).split())
    assert (load.failed, load.report["streams"]["cut"]) == (0, 0), load.errors
    assert test_host.containers() == before


def test_the_same_release_mended_serves(test_host, bot, roll):
    """The next revision starts normally; the failed ones are kept for inspection."""
    newest = test_host.revisions(NAME)[-1]
    roll(bot(env={"GREETING": "mended"}))
    assert test_host.settings(NAME)["serving"] == newest + 1
    assert newest in test_host.revisions(NAME)
    roll(bot())
