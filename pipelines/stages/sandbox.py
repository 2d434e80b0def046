"""The sandbox: stages in a process of their own, which can be ended when a page takes too long or too much memory.

What parses strangers' bytes (PDFium, Pillow, Tesseract, poppler) is large and written in C: now and then a file crashes
it, hangs it or fills the memory. Here that costs the page that did it: its row says `timeout`, `out_of_memory` or
`crashed`, the process starts anew, and the next page goes on.
"""

from __future__ import annotations

import os
import pickle
import resource
import signal
import subprocess
import sys
import tempfile
import time
import weakref
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from typing import IO

import cloudpickle
import pyarrow as pa

from pipelines.errors import ProcessingError
from pipelines.schema import Row, mark_failed
from pipelines.stages.base import StageFactory
from pipelines.stages.sandbox_protocol import OUT_OF_MEMORY, READY, PageLimits, SandboxSpec

ATTEMPTS = 3
"""Processes that a row gets. A new one is tried where the last had read other pages before, which may have left it
damaged or full; and where the system ended it. A row that does it to a process of its own is to blame."""


START_SECONDS = 120.0
"""The longest that a process may take to start and load its parsers, on a machine that is busy."""

LOOK_SECONDS = 0.05
"""How often a working process's memory is looked at."""

DEATH_SECONDS = 5.0
"""How long a process that has hung up is waited for before it is killed."""

NEAR_LIMIT = 0.9
"""A process that dies when it holds this share of its memory limit, or more, died of it."""

ENVIRONMENT = {"ARROW_DEFAULT_MEMORY_POOL": "system"}
"""Arrow's other pools reserve memory ahead, which would count against a page."""

_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
_STDERR_BYTES = 2000


class SandboxError(Exception):
    """The process cannot be started: no page is to blame."""


class Sandbox:
    """A stage that runs others in a process of its own. Rows that failed before pass by it.

    The process lives as long as this object and keeps what the stages keep between rows, such as an open document.
    """

    def __init__(
        self, stage_factories: tuple[StageFactory, ...], schema: pa.Schema, identity: pa.Schema, limits: PageLimits
    ) -> None:
        """`identity`: columns of `schema` that say what a row is about, which no stage changes."""
        self.spec = SandboxSpec(stage_factories, schema, limits)
        self._identity = identity.names
        self._process: _Process | None = None

    def __call__(self, rows: Iterable[Row], should_continue: Callable[[], bool] = lambda: True) -> Iterator[Row]:
        """Run the stages over `rows`.

        Args:
            should_continue: called several times a second while a row is processed; once it returns False, the process
                is killed and the row fails (`timeout`).
        """
        for row in rows:
            yield row if row.get("status") == "failed" else self._run(row, should_continue)

    @property
    def is_running(self) -> bool:
        """Whether there is a process; the next row starts one where there is none."""
        return self._process is not None

    def close(self) -> None:
        """End the process."""
        if self._process is not None:
            self._process.end()
            self._process = None

    def _run(self, row: Row, should_continue: Callable[[], bool]) -> Row:
        spent = 0.0
        for attempt in range(1, ATTEMPTS + 1):
            if self._process is None:
                self._process = _started(self.spec)  # its start is nobody's fault, and not counted
            process, started = self._process, time.monotonic()
            try:
                answer = process.process_row(row, self.spec.limits, should_continue)
            except _EndedError as ended:
                self.close()
                spent += time.monotonic() - started
                is_last = attempt == ATTEMPTS or not should_continue()
                if is_last or not (ended.retryable or process.answered):
                    return mark_failed({**row, "seconds": {"rasterize": spent, "ocr": 0.0, "infer": 0.0}}, ended.error)
                continue
            if process.memory_bytes() > self.spec.limits.refresh_bytes:
                self.close()
            return {**answer, **{name: row[name] for name in self._identity}}  # not the process's to say
        raise AssertionError("the last attempt returns")


def _started(spec: SandboxSpec) -> _Process:
    """A process that is ready. One that ends before it is, as the system may end any, is started again."""
    for _ in range(ATTEMPTS - 1):
        with suppress(SandboxError):
            return _Process(spec)
    return _Process(spec)


class _EndedError(Exception):
    """A process has ended, or was ended, on a row.

    `retryable`: somebody else may have ended it; `error` is what the row is failed with if not.
    """

    def __init__(self, error: ProcessingError, retryable: bool = False) -> None:
        super().__init__(error.message)
        self.error, self.retryable = error, retryable


class _Process:
    """One process and the connection to it."""

    def __init__(self, spec: SandboxSpec) -> None:
        self._connection, theirs = Pipe()
        self._stderr: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115
        self._schema = spec.schema
        self.answered = 0
        self._most_bytes = 0
        # A process counts what the one that forked it held as its own most, until it has held more itself.
        self._most_of_parent = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "pipelines.stages.sandbox_worker", str(theirs.fileno())],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=self._stderr,
                pass_fds=(theirs.fileno(),),
                env={**os.environ, **ENVIRONMENT, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
                start_new_session=True,
            )
        self._finalizer = weakref.finalize(self, _end, self._process, self._connection)
        try:
            self._connection.send_bytes(cloudpickle.dumps(spec))
            ready = self._connection.poll(START_SECONDS)
            answer = self._connection.recv_bytes() if ready else None
        except (EOFError, OSError):
            answer = None
        if answer != READY:
            self.end()
            self._stderr.seek(max(0, self._stderr.seek(0, os.SEEK_END) - _STDERR_BYTES))
            told = self._stderr.read().decode("utf-8", "replace").strip()
            raise SandboxError(f"the process that reads pages does not start: {told or 'it says nothing'}")

    def process_row(self, row: Row, limits: PageLimits, should_continue: Callable[[], bool]) -> Row:
        """Send a row and wait for what becomes of it, as long as it is wanted.

        Raises:
            _EndedError: `timeout`, `out_of_memory` or `crashed`; the process is then of no more use.
        """
        deadline = time.monotonic() + limits.seconds
        try:
            self._connection.send_bytes(pickle.dumps(row))
            while not self._connection.poll(LOOK_SECONDS):
                # What it has started may hold the connection open when it is dead.
                if self._has_ended() and not self._connection.poll():
                    raise self._reason_of_death(limits)
                if not should_continue():
                    raise _EndedError(ProcessingError("timeout", "Nobody waits for it any more; it was given up."))
                if time.monotonic() > deadline:
                    raise _timeout(limits)
                if self.memory_bytes() > limits.megabytes * 1_000_000:
                    raise _out_of_memory(limits)
            answer = self._connection.recv_bytes()
            if answer == OUT_OF_MEMORY:
                raise _out_of_memory(limits)
            table = pa.ipc.open_stream(answer).read_all()
            if table.schema != self._schema or table.num_rows != 1:
                raise pa.ArrowInvalid("not a row of the page schema")
            table.validate(full=True)
        except (EOFError, ConnectionError) as error:
            raise self._reason_of_death(limits) from error
        except pa.ArrowException as error:
            crashed = ProcessingError("crashed", f"The process that read it gave a damaged answer: {error}.")
            raise _EndedError(crashed) from error
        self.answered += 1
        return table.to_pylist()[0]

    def end(self) -> None:
        """Kill it and what it started."""
        self._finalizer()

    def memory_bytes(self) -> int:
        """What it and the processes below it hold now, libraries included."""
        held = _memory_bytes(self._process.pid)
        self._most_bytes = max(self._most_bytes, held)
        return held

    def _has_ended(self) -> bool:
        """Whether it is dead; its number stays its own until it is waited for."""
        return os.waitid(os.P_PID, self._process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None

    def _reason_of_death(self, limits: PageLimits) -> _EndedError:
        pid, patience = self._process.pid, time.monotonic() + DEATH_SECONDS
        while not self._has_ended():
            if time.monotonic() > patience:
                return _EndedError(ProcessingError("crashed", "The process that read it hung up without ending."))
            time.sleep(0.01)
        _kill_group(pid)  # what it had started, while nobody else can have its number
        _, status, usage = os.wait4(pid, 0)
        self._process.returncode = os.waitstatus_to_exitcode(status)
        told = usage.ru_maxrss * 1024
        most = told if told > self._most_of_parent else self._most_bytes
        if most > NEAR_LIMIT * limits.megabytes * 1_000_000:
            return _out_of_memory(limits)
        if os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL:
            message = "The system killed the process that read it (SIGKILL), most likely for want of memory."
            return _EndedError(ProcessingError("out_of_memory", message), retryable=True)
        if os.WIFSIGNALED(status):
            how = f"was ended by {signal.Signals(os.WTERMSIG(status)).name}"
        else:
            how = f"ended with status {os.WEXITSTATUS(status)}"
        return _EndedError(ProcessingError("crashed", f"The process that read it {how}: these bytes crash a parser."))


def _end(process: subprocess.Popen[bytes], connection: Connection) -> None:
    connection.close()
    if process.returncode is None:
        _kill_group(process.pid)
        process.wait()


def _kill_group(leader: int) -> None:
    with suppress(ProcessLookupError):
        os.killpg(leader, signal.SIGKILL)


def _memory_bytes(pid: int) -> int:
    """Of a process and those below it; 0 for one that has just died, as the connection to it will tell."""
    try:
        with open(f"/proc/{pid}/statm", "rb") as file:
            held = int(file.read().split()[1]) * _PAGE_BYTES
        with open(f"/proc/{pid}/task/{pid}/children", "rb") as file:
            children = file.read().split()
    except (OSError, IndexError):
        return 0
    return held + sum(_memory_bytes(int(child)) for child in children)


def _timeout(limits: PageLimits) -> _EndedError:
    message = f"Reading it took over {limits.seconds:g} s and was given up; raise --page-time-limit-seconds."
    return _EndedError(ProcessingError("timeout", message))


def _out_of_memory(limits: PageLimits) -> _EndedError:
    message = f"Reading it took over {limits.megabytes} MB and was given up; raise --page-memory-limit-megabytes."
    return _EndedError(ProcessingError("out_of_memory", message))
