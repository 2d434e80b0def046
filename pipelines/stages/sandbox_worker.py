"""The process inside a sandbox: runs stages over rows received through a connection, one at a time.

    python -m pipelines.stages.sandbox_worker FILE_DESCRIPTOR

It receives a `SandboxSpec`, then rows, and answers each row before it reads the next. It exits when the connection is
closed.
"""

from __future__ import annotations

import os
import pickle
import resource
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from importlib.abc import MetaPathFinder
from multiprocessing.connection import Connection
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

import pyarrow as pa

from pipelines.errors import InfrastructureError
from pipelines.runtime.scratch_folder import remove_leftovers
from pipelines.schema import Row
from pipelines.stages.base import rows_to_table
from pipelines.stages.sandbox_faults import encode_fault
from pipelines.stages.sandbox_protocol import OUT_OF_MEMORY, READY

if TYPE_CHECKING:
    from pipelines.stages.sandbox_protocol import SandboxSpec


PARENT_CHECK_SECONDS = 1.0
PARENT_DEATH_SECONDS = 10.0
"""The longest that a process which is no longer asked waits for its parent to be gone, whose files it then removes."""

TIMER_MARGIN_SECONDS = 5.0
"""A process that is still busy this long after its time limit is ended by its own timer: its parent did not do it."""

HARD_LIMIT_FACTOR = 2
"""Multiple of the memory limit beyond which an allocation fails in the process itself."""


def serve(connection: Connection) -> None:
    """Answer rows until the other side closes the connection."""
    spec: SandboxSpec = pickle.loads(connection.recv_bytes())
    limit = spec.limits.megabytes * 1_000_000 * HARD_LIMIT_FACTOR
    resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
    rows: Iterable[Row] = _received(connection, spec.limits.seconds + TIMER_MARGIN_SECONDS)
    for make in spec.stage_factories:
        rows = make()(rows)
    connection.send_bytes(READY)
    try:
        _answer(connection, rows, spec.schema)
    except MemoryError:
        connection.send_bytes(OUT_OF_MEMORY)
    except InfrastructureError as error:
        connection.send_bytes(encode_fault(error))


def _answer(connection: Connection, rows: Iterable[Row], schema: pa.Schema) -> None:
    for row in rows:
        table = rows_to_table([row], schema)
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, schema) as writer:
            writer.write_table(table)
        connection.send_bytes(sink.getvalue())
        signal.setitimer(signal.ITIMER_REAL, 0)


def _received(connection: Connection, max_seconds: float) -> Iterator[Row]:
    while True:
        try:
            content = connection.recv_bytes()
        except EOFError:
            return
        signal.setitimer(signal.ITIMER_REAL, max_seconds)
        yield pickle.loads(content)


def _end_with_parent(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(PARENT_CHECK_SECONDS)
    remove_leftovers(Path(tempfile.gettempdir()).parent)  # its own folder, and what the parent has left
    os.killpg(0, signal.SIGKILL)


class _WithoutPandas(MetaPathFinder):
    """Lets imports of pandas fail: no stage needs it, and Arrow looks for it with the first row.

    It is a quarter of the time that a sandbox takes to its first page, and tens of megabytes of each.
    """

    def find_spec(self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None) -> None:
        if fullname == "pandas":
            raise ModuleNotFoundError("a sandbox does without pandas", name=fullname)


def main() -> None:
    """Disable core dumps, exit with the parent, and serve."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    sys.meta_path.insert(0, _WithoutPandas())
    watcher = threading.Thread(target=_end_with_parent, args=(os.getppid(),), daemon=True)
    watcher.start()
    serve(Connection(int(sys.argv[1])))
    watcher.join(PARENT_DEATH_SECONDS)  # the connection of a parent that is killed is closed before it is gone


if __name__ == "__main__":
    main()
