"""The endpoint's limits and its key: what it refuses, and that it continues afterwards."""

from __future__ import annotations

import contextlib
import io
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import grpc
import httpx
import psutil
import pytest
from PIL import Image, ImageSequence
from ray.serve.generated.serve_pb2 import ASGIRequest
from ray.serve.generated.serve_pb2_grpc import ASGIServiceStub

from tests.drawn_pdf import DrawnPage, draw_pdf, show
from tests.jobs.endpoint import LIMITS, Endpoint, start_endpoint

pytestmark = pytest.mark.xdist_group("serve")

WITHOUT_NAME = b'--b\r\nContent-Disposition: form-data; name="file"\r\n\r\nno name\r\n--b--\r\n'


@pytest.fixture
def client(endpoint: Endpoint) -> Iterator[httpx.Client]:
    with endpoint.client() as client:
        yield client


def upload(content: bytes | Path, name: str = "document") -> dict[str, tuple[str, bytes]]:
    return {"file": (name, content.read_bytes() if isinstance(content, Path) else content)}


def quick_page() -> bytes:
    return draw_pdf(DrawnPage(show("A deed between the parties named below", 20, 200)))


def wait_until(holds: Callable[[], bool]) -> bool:
    """Whether a condition holds within half a minute."""
    until = time.monotonic() + 30
    while not holds():
        if time.monotonic() > until:
            return False
        time.sleep(0.1)
    return True


def test_only_the_page_and_the_health_are_open_without_a_key(endpoint: Endpoint) -> None:
    with httpx.Client(base_url=endpoint.url, trust_env=False) as stranger:
        for path in ("/v1/models", "/docs", "/openapi.json", "/v1/nothing"):
            refused = stranger.get(path)
            assert (refused.status_code, refused.json()["error_kind"]) == (401, "unauthorized"), path
            assert refused.headers["www-authenticate"] == "Bearer"
        assert stranger.post("/v1/extract", files=upload(quick_page())).status_code == 401
        wrong = {"Authorization": f"Bearer {endpoint.key}x"}
        assert stranger.get("/v1/models", headers=wrong).status_code == 401
        assert stranger.get("/healthz").status_code == 200
        assert stranger.get("/").status_code == 200
        for key in (endpoint.key, "another"):
            assert stranger.get("/v1/models", headers={"Authorization": f"Bearer {key}"}).status_code == 200


def test_serve_answers_nobody_itself_and_takes_no_orders(endpoint: Endpoint) -> None:
    with httpx.Client(base_url=endpoint.url, trust_env=False) as stranger:
        for path in ("/-/routes", "/-/anything"):
            refused = stranger.get(path)
            assert (refused.status_code, refused.json()["error_kind"]) == (404, "not_found")
        assert stranger.get("/-/healthz").status_code == 200
    with endpoint.client() as client:
        hurried = {"X-Request-Timeout-Seconds": "0.001"}
        assert client.post("/v1/extract", files=upload(quick_page()), headers=hurried).status_code == 200


def test_what_the_endpoint_starts_listens_on_this_machine_only_or_wants_a_token(endpoint: Endpoint) -> None:
    """Ray binds the port on which a replica takes calls of others to all interfaces, whatever the node's address is."""
    owner = psutil.Process(endpoint.process.pid)
    processes = [owner, *owner.children(recursive=True)]
    listening = [(each, one.laddr) for each in processes for one in connections(each) if one.status == "LISTEN"]
    assert len(listening) > 10
    elsewhere = [each for each in listening if each[1].ip not in ("127.0.0.1", "::ffff:127.0.0.1", "::1")]
    for process, address in elsewhere:
        assert any("ServeReplica" in word for word in process.cmdline()), process.cmdline()
        with grpc.insecure_channel(f"127.0.0.1:{address.port}") as channel, pytest.raises(grpc.RpcError) as refused:
            ASGIServiceStub(channel).HandleRequest(ASGIRequest(), timeout=30)
        assert refused.value.code() == grpc.StatusCode.UNAUTHENTICATED


def connections(process: psutil.Process) -> list[Any]:
    with contextlib.suppress(psutil.NoSuchProcess):
        return process.net_connections("inet")
    return []


def test_no_process_of_the_endpoint_inherits_a_key_and_ray_logs_none(endpoint: Endpoint) -> None:
    assert endpoint.key is not None
    owner = psutil.Process(endpoint.process.pid)
    children = owner.children(recursive=True)
    assert len(children) > 5
    for child in children:
        with contextlib.suppress(psutil.NoSuchProcess):
            environment = child.environ()
            assert "LAYOUTLMV2_API_KEYS" not in environment and endpoint.key not in environment.values()
            if "pipelines.stages.sandbox_worker" in child.cmdline():
                assert not {name for name in environment if "RAY" in name or "AWS" in name}
    (raylet,) = [child for child in children if child.name() == "raylet"]
    session = next(word for word in raylet.cmdline() if word.startswith("--session_dir=")).partition("=")[2]
    logs = [path for path in Path(session, "logs").rglob("*") if path.is_file()]
    assert logs and not [path for path in logs if endpoint.key.encode() in path.read_bytes()]


def test_sockets_that_send_six_bytes_or_half_a_header_keep_nobody_out(endpoint: Endpoint) -> None:
    """More of them than the endpoint receives at a time, which is 24 here: the oldest ones end with 408."""
    address = ("127.0.0.1", int(endpoint.url.rpartition(":")[2]))
    head = (
        f"POST /v1/extract HTTP/1.1\r\nHost: endpoint\r\nAuthorization: Bearer {endpoint.key}\r\n"
        "Content-Type: multipart/form-data; boundary=b\r\nContent-Length: 1000\r\n\r\n--b\r\n-"
    ).encode()
    with contextlib.ExitStack() as stack:
        sockets = []
        for index in range(100):
            opened = stack.enter_context(socket.create_connection(address, timeout=60))
            opened.sendall(head if index % 2 else head[:40])
            sockets.append(opened)
        with endpoint.client() as client:
            for _ in range(5):
                assert client.post("/v1/extract", files=upload(quick_page())).status_code == 200
            assert client.get("/healthz").status_code == 200
        ended = sockets[1]
        answer = b""
        while part := ended.recv(4096):  # until the server closes the connection
            answer += part
        assert answer.startswith(b"HTTP/1.1 408") and b"slowest of 24" in answer


def test_responses_keep_browsers_from_loading_other_hosts(client: httpx.Client) -> None:
    policy = client.get("/").headers["content-security-policy"]
    assert "default-src 'self'" in policy and "img-src 'self' data: blob:" in policy


def test_a_document_that_is_too_large_is_refused_and_the_next_one_answered(client: httpx.Client) -> None:
    for size in (2_000_001, 5_000_000):
        refused = client.post("/v1/extract", files=upload(b"%PDF-1.7" + b" " * size))
        assert (refused.status_code, refused.json()["error_kind"]) == (413, "too_large")
        assert "2 MB" in refused.json()["error"]

    def chunks() -> Iterator[bytes]:
        yield b'--b\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n'
        for _ in range(100):
            yield b"x" * 50_000

    headers = {"Content-Type": "multipart/form-data; boundary=b"}
    assert client.post("/v1/extract", content=chunks(), headers=headers).status_code == 413
    assert client.post("/v1/extract", files=upload(quick_page())).status_code == 200


def test_too_many_pages_are_refused_with_the_way_out(client: httpx.Client) -> None:
    long = draw_pdf(*[DrawnPage(show("A deed between the parties", 20, 200))] * 101)
    refused = client.post("/v1/extract", files=upload(long))
    assert (refused.status_code, refused.json()["error_kind"]) == (413, "too_large")
    assert "pages=1-100" in refused.json()["error"]
    assert len(client.post("/v1/extract", files=upload(long), data={"pages": "101"}).json()["pages"]) == 1


def given(word: str, count: int) -> dict[str, str]:
    """The fields of a page with `count` words that are given."""
    return {"words": json.dumps([word] * count), "boxes": json.dumps([[0, 0, 10, 10]] * count)}


@pytest.mark.parametrize("pages", [None, ",".join(["1-"] * 1000)], ids=["all", "overlapping ranges"])
@pytest.mark.parametrize(
    ("count", "status", "kind"), [(50_000, 413, "too_large"), (1_000_000, 422, "unreadable")], ids=["many", "forged"]
)
def test_a_document_that_claims_very_many_pages_is_refused(
    client: httpx.Client, pages: str | None, count: int, status: int, kind: str
) -> None:
    claims = quick_page().replace(b"/Count 1", f"/Count {count}".encode()) + b" " * 1_000_000
    refused = client.post("/v1/extract", files=upload(claims), data={} if pages is None else {"pages": pages})
    assert (refused.status_code, refused.json()["error_kind"]) == (status, kind)
    assert f"{count} pages" in refused.json()["error"]


def test_page_ranges_of_nothing_but_blanks_do_not_keep_the_endpoint_busy(client: httpx.Client) -> None:
    for text in ("1," + " " * 400 + "x", "1," + " " * 9000 + "x"):
        refused = client.post("/v1/extract", files=upload(quick_page()), data={"pages": text})
        assert refused.status_code == 400 and "numbers and ranges" in refused.json()["error"]
    too_long = client.post("/v1/extract", files=upload(quick_page()), data={"pages": "1," * 6000})
    assert too_long.status_code == 400 and "12000 characters, more than the 10000" in too_long.json()["error"]


def test_words_that_need_more_windows_than_a_page_may_have_are_refused(client: httpx.Client) -> None:
    refused = client.post("/v1/extract", files=upload(quick_page()), data=given("a,b,c,d,e,", 5000))
    assert (refused.status_code, refused.json()["error_kind"]) == (413, "too_large")
    assert "more than 60 windows" in refused.json()["error"]


def test_a_quick_page_is_answered_before_a_long_one_that_came_first(endpoint: Endpoint) -> None:
    answered: list[str] = []

    def send(name: str, fields: dict[str, str]) -> None:
        with endpoint.client() as own:
            response = own.post("/v1/extract", files=upload(quick_page()), data=fields)
            assert response.status_code == 200, response.text
            answered.append(name)

    long = threading.Thread(target=send, args=("long", given("a,b,c,d,e,", 800)))
    long.start()
    time.sleep(1)  # it is with the model by then; if not, it is answered last all the same
    send("quick", {})
    long.join()
    assert answered == ["quick", "long"]


@pytest.mark.parametrize(
    ("body", "content_type", "status"),
    [
        (b"{}", "application/json", 415),
        (b"", "multipart/form-data; boundary=b", 400),
        (b"--b\r\nnonsense", "multipart/form-data; boundary=b", 400),
        (b"x", "multipart/form-data", 400),
        (WITHOUT_NAME, "multipart/form-data; boundary=b", 400),
        (WITHOUT_NAME, "multipart/form-data; boundary=b; charset=punycode", 415),
    ],
)
def test_bodies_without_a_form_are_refused(client: httpx.Client, body: bytes, content_type: str, status: int) -> None:
    refused = client.post("/v1/extract", content=body, headers={"Content-Type": content_type})
    assert refused.status_code == status and set(refused.json()) == {"error_kind", "error"}


def test_more_questions_than_are_answered_at_once_are_refused(client: httpx.Client) -> None:
    refused = client.post("/v1/extract", files=upload(quick_page()), data={"questions": ["a", "b", "c"]})
    assert refused.status_code == 400 and "3 questions" in refused.json()["error"]


def test_unknown_routes_and_methods_are_errors_of_the_same_form(client: httpx.Client) -> None:
    assert client.get("/v1/nothing").json()["error_kind"] == "not_found"
    refused = client.get("/v1/extract")
    assert refused.status_code == 405 and set(refused.json()) == {"error_kind", "error"}


def test_requests_beyond_the_limit_are_shed_and_the_endpoint_recovers(endpoint: Endpoint, small_scan: Path) -> None:
    scan = upload(small_scan)
    responses: list[httpx.Response] = []

    def send() -> None:
        with endpoint.client() as own:
            responses.append(own.post("/v1/extract", files=scan))

    threads = [threading.Thread(target=send) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    shed = [response for response in responses if response.status_code != 200]
    assert shed and len(shed) < 16
    for response in shed:
        assert response.status_code in (429, 503)
        assert int(response.headers["retry-after"]) >= 1
        assert response.json()["error_kind"] == "overloaded"
    with endpoint.client() as own:
        assert own.post("/v1/extract", files=scan).status_code == 200


def test_a_client_that_goes_away_frees_its_slot(endpoint: Endpoint, samples_directory: Path) -> None:
    scan = samples_directory / "supplier-form-scanned.pdf"
    limit, statuses = LIMITS["max-requests"], []
    for _ in range(limit + 1):
        with endpoint.client() as leaving:
            headers = {"Accept": "application/x-ndjson"}
            with leaving.stream("POST", "/v1/extract", files=upload(scan), headers=headers) as response:
                statuses.append(response.status_code)
                if response.status_code == 200:
                    assert "document" in json.loads(next(response.iter_lines()))
    assert statuses[:limit] == [200] * limit
    with endpoint.client() as staying:
        assert wait_until(lambda: staying.post("/v1/extract", files=upload(quick_page())).status_code == 200)


@pytest.mark.slow
def test_pages_that_are_not_done_in_time_fail(samples_directory: Path, tmp_path: Path) -> None:
    """In full; `tests/pipelines/serving/test_gateway.py` has it with replicas that never finish."""
    with Image.open(samples_directory / "fax-two-pages.tiff") as image:
        frames = [frame.copy() for frame in ImageSequence.Iterator(image)]
    many = io.BytesIO()
    frames[0].save(many, "TIFF", save_all=True, append_images=[*frames[1:], *frames * 39], compression="group4")
    options = ["--request-time-limit-seconds", "12", "--max-text-replicas", "1"]
    with start_endpoint(tmp_path / "log", *options) as endpoint, endpoint.client() as client:
        answer = client.post("/v1/extract", files=upload(many.getvalue())).json()
        after = client.post("/v1/extract", files=upload(quick_page())).json()
    assert len(answer["pages"]) == 80
    states = [(page["status"], page["error_kind"]) for page in answer["pages"]]
    assert states[0] == ("ok", None) and states[-1] == ("failed", "timeout")
    assert set(states) == {("ok", None), ("failed", "timeout")}
    assert "ask for fewer pages" in answer["pages"][-1]["error"]
    assert after["pages"][0]["status"] == "ok"
