"""What the documents show of the endpoint: every command, snippet and route, on one that runs."""

from __future__ import annotations

import contextlib
import io
import json
import subprocess
from urllib.parse import urlsplit

import pytest

from tests.docs.documents import REPOSITORY, Block, blocks, codes, commands, table_rows
from tests.jobs.endpoint import Endpoint

pytestmark = pytest.mark.xdist_group("serve")

SHOWN = "http://127.0.0.1:8000"
CURLS = [pytest.param(words, id=where) for where, words in commands() if words[0] == "curl"]
SNIPPETS = [pytest.param(block, id=block.where) for block in blocks("python") if "requests.post(" in block.text]
ROUTES = [code.split(" ") for row in table_rows(REPOSITORY / "docs" / "serving.md", "Requests") for code in codes(row[0])]


@pytest.mark.parametrize("words", CURLS)
def test_a_command_is_answered(words: list[str], endpoint: Endpoint) -> None:
    command = [word.replace(SHOWN, endpoint.url) for word in words]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, timeout=120, check=True)
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    pages = lines[0].get("pages") or [line["page"] for line in lines[1:]]
    assert lines[0]["document"]["status"] == "ok"
    assert pages and all(page["status"] == "ok" and page["entities"] for page in pages)


@pytest.mark.parametrize("block", SNIPPETS)
def test_a_snippet_prints_entities(block: Block, endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(REPOSITORY)
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(block.text.replace(SHOWN, endpoint.url), block.where, "exec"), {})
    assert "QUESTION" in printed.getvalue() and "ANSWER" in printed.getvalue()


def test_every_route_that_is_named_answers(endpoint: Endpoint) -> None:
    named = [route for route in ROUTES if route[0] in ("GET", "POST")]
    assert ["POST", "/v1/extract"] in named
    with endpoint.client() as client:
        for method, path in named:
            assert client.request(method, urlsplit(path).path).status_code == (200 if method == "GET" else 415)
