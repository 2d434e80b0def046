"""S3 servers that differ, in the process: in the order of their listing, in its paging, and in whom they let in."""

from __future__ import annotations

import hashlib
import threading
import urllib.parse
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Literal

CONTENT = b"content"
PAGE_KEYS = 100


@dataclass
class ListingServer:
    """What the server does, and what it was asked.

    Attributes:
        keys: of its one bucket.
        order: of the listing.
        paging: "tokens" also knows start-after, as Amazon does; "tokens only" does not; "start-after" has no tokens;
            "same page" and "same token" answer every request alike; "overlapping" repeats the last key of a page.
        refuses: requests that are signed, that are not signed, or that do not say that the requester pays.
        signed, payers: of each request, whether it was signed and who pays.
    """

    keys: list[str]
    order: Literal["name", "hash"] = "name"
    paging: Literal["tokens", "tokens only", "start-after", "same page", "same token", "overlapping"] = "tokens"
    refuses: Literal["nothing", "signed", "unsigned", "other payers"] = "nothing"
    signed: list[bool] = field(default_factory=list)
    payers: list[str | None] = field(default_factory=list)
    endpoint: str = ""

    def page(self, query: dict[str, str]) -> bytes:
        """A page of the listing, as XML."""
        keys = sorted(key for key in self.keys if key.startswith(query.get("prefix", "")))
        if self.order == "hash":
            keys.sort(key=lambda key: hashlib.md5(key.encode()).digest())
        start = int(query.get("continuation-token", 0))
        if self.paging in ("same page", "same token"):
            start = 0
        if self.paging in ("tokens", "start-after") and "continuation-token" not in query:
            keys = [key for key in keys if key > query.get("start-after", "")]
        end = start + PAGE_KEYS
        listed = "".join(
            f"<Contents><Key>{key}</Key><Size>{len(CONTENT)}</Size><ETag>&quot;e&quot;</ETag></Contents>"
            for key in keys[start:end]
        )
        more = len(keys) > end
        token = {
            "start-after": "",
            "same token": "<NextContinuationToken>0</NextContinuationToken>",
            "overlapping": f"<NextContinuationToken>{end - 1}</NextContinuationToken>",
        }.get(self.paging, f"<NextContinuationToken>{end}</NextContinuationToken>")
        return (
            '<?xml version="1.0"?><ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Name>b</Name>'
            f"<IsTruncated>{str(more).lower()}</IsTruncated>{token if more else ''}{listed}</ListBucketResult>"
        ).encode()

    def allows(self, signed: bool, payer: str | None) -> bool:
        """Whether a request is let in."""
        return not (
            (self.refuses == "signed" and signed)
            or (self.refuses == "unsigned" and not signed)
            or (self.refuses == "other payers" and payer != "requester")
        )


@contextmanager
def start_listing_server(keys: list[str]) -> Iterator[ListingServer]:
    """A server on loopback with a bucket `b` that holds `keys`."""
    server = ListingServer(keys)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            signed, payer = "Authorization" in self.headers, self.headers.get("x-amz-request-payer")
            server.signed.append(signed)
            server.payers.append(payer)
            if not server.allows(signed, payer):
                self._answer(403, b"<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>")
                return
            query = urllib.parse.parse_qs(urllib.parse.urlparse(self.path).query, keep_blank_values=True)
            if "list-type" in query:
                self._answer(200, server.page({name: values[0] for name, values in query.items()}))
            else:
                self._answer(200, CONTENT)

        do_HEAD = do_GET

        def _answer(self, status: int, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("ETag", '"e"')
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        def log_message(self, *arguments: object) -> None:
            """Nothing is printed."""

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=http.serve_forever, daemon=True)
    thread.start()
    server.endpoint = f"http://127.0.0.1:{http.server_port}"
    try:
        yield server
    finally:
        http.shutdown()
        http.server_close()
