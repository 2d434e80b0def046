"""Runs on one output, one after the other, of which most are killed or hindered; the last one comes to its end.

python -m tests.pipelines.batch.run_while_drivers_die INPUT OUTPUT KILLS

Each run is a fork of this process, so that it works from its first moment on. Before each one a document of the input
is touched, so that there is work for it, and rows that no longer count. Prints what happened as one line of JSON.
"""

from __future__ import annotations

import errno
import json
import os
import random
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable
from contextlib import nullcontext
from functools import cache
from pathlib import Path
from typing import NoReturn

import pipelines.batch.compaction
import pipelines.batch.record
import pipelines.extract
import pipelines.storage.local
from pipelines.batch.options import RunOptions
from pipelines.batch.ownership import OutputClaimedError
from pipelines.batch.run import run
from pipelines.errors import JobError
from pipelines.extract import ExtractOptions, make_infer
from pipelines.stages.model_loader import load_runtime
from pipelines.stages.rasterize import RasterizeOptions
from tests.s3_proxy import S3Proxy, start_s3_proxy

SEED = 0
COMPACTED_BYTES = 30_000
"""Two or three blocks: files are compacted while others are written."""
EXTRACT = ExtractOptions("untrained", rasterize=RasterizeOptions(text="layer"))
DONE, CLAIMED, FAILED = 0, 3, 4
"""Exit statuses of a run: it came to its end, another run took over, it failed for a reason that it told."""


def main() -> None:
    source, output, kills = sys.argv[1], sys.argv[2], int(sys.argv[3])
    chance, happened = random.Random(SEED), Counter[str]()
    documents = sorted(Path(source).iterdir())
    on_s3 = output.startswith("s3://")
    with start_s3_proxy(os.environ["AWS_ENDPOINT_URL"]) if on_s3 else nullcontext() as proxy:
        if isinstance(proxy, S3Proxy):
            os.environ["AWS_ENDPOINT_URL"] = proxy.endpoint

        def start(hinder: Callable[[], None] | None = None) -> int:
            return start_run(RunOptions((source,), output, EXTRACT, report_pages=1, read_workers=1), hinder)

        assert wait(start()) == DONE
        os.utime(documents[0])
        began = time.monotonic()
        assert wait(start()) == DONE
        seconds = time.monotonic() - began
        ways = ["kill", "expired" if on_s3 else "disk full", "two", "kill late", "kill", "clock ahead", "clock behind"]
        for number in range(kills):
            os.utime(documents[number % len(documents)])
            way = ways[number % len(ways)]
            if way == "two":
                pids = [start(), (time.sleep(chance.uniform(0, 1)), start())[1]]
                ends = [wait(pid) for pid in pids]
                assert DONE in ends and set(ends) <= {DONE, CLAIMED}, ends
                happened[f"two: {ends}"] += 1
            elif way == "disk full":
                happened[f"disk full: {wait(start(lambda: fill_disk(chance.randrange(12))))}"] += 1
            elif way == "expired":
                assert isinstance(proxy, S3Proxy)
                pid = start()
                time.sleep(chance.uniform(0.2, 0.8) * seconds)
                proxy.fail("expired")
                happened[f"expired: {wait(pid)}"] += 1
                proxy.fail("pass")
            else:
                hours = {"clock ahead": 1, "clock behind": -1}.get(way, 0)
                pid = start(lambda hours=hours: set_clock(hours))  # type: ignore[misc]
                time.sleep((chance.uniform(0.6, 0.95) if way == "kill late" else chance.uniform(0.05, 0.5)) * seconds)
                os.kill(pid, signal.SIGKILL)
                happened[f"{way}: {wait(pid)}"] += 1
        assert wait(start()) == DONE
    print(json.dumps({"seconds": round(seconds, 1), "happened": happened}))


def start_run(options: RunOptions, hinder: Callable[[], None] | None) -> int:
    """A run in a process of its own; returns its number."""
    pid = os.fork()
    if pid:
        return pid
    status = FAILED
    try:
        if hinder is not None:
            hinder()
        run(options, no_ray)
        status = DONE
    except OutputClaimedError:
        status = CLAIMED
    except JobError as error:
        print(f"the run ends: {error}", file=sys.stderr)
    finally:
        os._exit(status)


def wait(pid: int) -> int:
    """The exit status of a process; negative for a signal."""
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def no_ray() -> NoReturn:
    raise AssertionError("so few pages need no Ray")


def set_clock(hours: float) -> None:
    """Have this process believe that it is earlier or later."""
    now, clock = pipelines.batch.record.now, time.time
    time.time = lambda: clock() + 3600 * hours
    moved = time.gmtime(time.time() + 3600 * hours)
    pipelines.batch.record.now = lambda: time.strftime("%Y-%m-%dT%H:%M:%S+00:00", moved) if hours else now()


def fill_disk(writes: int) -> None:
    """Have this process find the disk full after some files."""
    synchronise, left = pipelines.storage.local._synchronise, [writes]

    def synchronise_or_fail(path: Path, flags: int) -> None:
        left[0] -= 1
        if left[0] < 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
        synchronise(path, flags)

    pipelines.storage.local._synchronise = synchronise_or_fail


if __name__ == "__main__":
    pipelines.extract.load_runtime = cache(load_runtime)
    make_infer(EXTRACT)  # the model, once for all runs
    pipelines.batch.compaction.COMPACTED_BYTES = COMPACTED_BYTES
    main()
