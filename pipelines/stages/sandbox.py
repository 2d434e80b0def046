"""The sandbox: runs stages in a separate process, which is killed when a page takes too long or too much memory.

The parsers of untrusted input (PDFium, Pillow, Tesseract, poppler) are large C and C++ libraries: a file occasionally
crashes them, hangs them or exhausts the memory. In the sandbox only that page is lost: its row fails with `timeout`,
`out_of_memory` or `crashed`, the process is restarted, and the next page is processed.
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

from pipelines.errors import JobError, ProcessingError
from pipelines.runtime.scratch_folder import ScratchFolder
from pipelines.schema import Row, mark_failed
from pipelines.stages.base import StageFactory
from pipelines.stages.sandbox_environment import sandbox_environment
from pipelines.stages.sandbox_faults import attribute_fault, decode_fault
from pipelines.stages.sandbox_protocol import OUT_OF_MEMORY, READY, PageLimits, SandboxSpec

ATTEMPTS = 3
"""Processes tried per row. A row is retried if the process had read other pages, which may have left it corrupted or
short of memory, or if the system killed it. A row that ends a fresh process by itself fails."""


START_SECONDS = 120.0
"""Time limit for a process to start and load its parsers, on a busy machine."""

LOOK_SECONDS = 0.05
"""How often the memory of a working process is checked."""

DEATH_SECONDS = 5.0
"""How long to wait for a process that has closed its connection before killing it."""

NEAR_LIMIT = 0.9
"""A process that dies with at least this share of its memory limit in use counts as out of memory."""

_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
_STDERR_BYTES = 2000


class SandboxError(JobError):
    """The process cannot be started, for a reason that has nothing to do with the page."""


class Sandbox:
    """A stage that runs other stages in a separate process. Failed rows pass through.

    The process lives as long as this object, and so does the state of its stages, such as an open document.

    Raises:
        InfrastructureError: this machine or the storage is at fault, in each of `ATTEMPTS` processes.
        SandboxError: the process cannot be started.
    """

    def __init__(
        self, stage_factories: tuple[StageFactory, ...], schema: pa.Schema, identity: pa.Schema, limits: PageLimits
    ) -> None:
        """`identity`: columns of `schema` that identify a row; they are copied from the input, not from the process."""
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
        """Whether there is a process; if not, the next row starts one."""
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
                self._process = _started(self.spec)  # before the clock starts: a row does not pay for it
            process, started = self._process, time.monotonic()
            try:
                answer = process.process_row(row, self.spec.limits, should_continue)
            except _EndedError as ended:
                self.close()
                spent += time.monotonic() - started
                is_last = attempt == ATTEMPTS or not should_continue()
                if is_last or not (ended.retryable or process.answered):
                    seconds = {"rasterize": spent, "ocr": 0.0, "infer": 0.0}
                    return mark_failed({**row, "seconds": seconds}, attribute_fault(ended.error))
                continue
            if process.memory_bytes() > self.spec.limits.refresh_bytes:
                self.close()
            return {**answer, **{name: row[name] for name in self._identity}}  # the process is not trusted with these
        raise AssertionError("the last attempt returns")


def _started(spec: SandboxSpec) -> _Process:
    """Start a process and wait until it is ready; one that dies first, perhaps killed by the system, is retried."""
    for _ in range(ATTEMPTS - 1):
        with suppress(SandboxError):
            return _Process(spec)
    return _Process(spec)


class _EndedError(Exception):
    """A process died or was killed while it processed a row.

    `error` is recorded in the row unless it is retried; `retryable`: the cause may lie outside the row.
    """

    def __init__(self, error: ProcessingError, retryable: bool = False) -> None:
        super().__init__(error.message)
        self.error, self.retryable = error, retryable


class _Process:
    """One process and the connection to it."""

    def __init__(self, spec: SandboxSpec) -> None:
        self._connection, theirs = Pipe()
        self._stderr: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115
        scratch = ScratchFolder("sandbox")
        self._schema = spec.schema
        self.answered = 0
        self._peak_bytes = 0
        # A forked process inherits its parent's peak memory (ru_maxrss) until its own exceeds it.
        self._parent_peak_bytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "pipelines.stages.sandbox_worker", str(theirs.fileno())],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=self._stderr,
                pass_fds=(theirs.fileno(),),
                env=sandbox_environment(os.environ, scratch.path),
                start_new_session=True,
            )
        self._finalizer = weakref.finalize(self, _end, self._process, self._connection, scratch)
        try:
            self._connection.send_bytes(cloudpickle.dumps(spec))
            ready = self._connection.poll(START_SECONDS)
            answer = self._connection.recv_bytes() if ready else None
        except (EOFError, OSError):
            answer = None
        if answer != READY:
            self.end()
            self._stderr.seek(max(0, self._stderr.seek(0, os.SEEK_END) - _STDERR_BYTES))
            output = self._stderr.read().decode("utf-8", "replace").strip()
            raise SandboxError(f"the process that reads pages does not start: {output or 'it printed nothing'}")

    def process_row(self, row: Row, limits: PageLimits, should_continue: Callable[[], bool]) -> Row:
        """Send a row and wait for its result while `should_continue()` holds.

        Raises:
            _EndedError: `timeout`, `out_of_memory` or `crashed`; the process cannot be used again.
        """
        deadline = time.monotonic() + limits.seconds
        try:
            self._connection.send_bytes(pickle.dumps(row))
            while not self._connection.poll(LOOK_SECONDS):
                # Its child processes may keep the connection open after its death.
                if self._has_ended() and not self._connection.poll():
                    raise self._reason_of_death(limits)
                if not should_continue():
                    raise _EndedError(ProcessingError("timeout", "The request for it was cancelled."))
                if time.monotonic() > deadline:
                    raise _timeout(limits)
                if self.memory_bytes() > limits.megabytes * 1_000_000:
                    raise _out_of_memory(limits)
            answer = self._connection.recv_bytes()
            if answer == OUT_OF_MEMORY:
                raise _out_of_memory(limits)
            if fault := decode_fault(answer):
                raise _EndedError(fault, retryable=True)
            table = pa.ipc.open_stream(answer).read_all()
            if table.schema != self._schema or table.num_rows != 1:
                raise pa.ArrowInvalid("not a row of the page schema")
            table.validate(full=True)
        except (EOFError, ConnectionError) as error:
            raise self._reason_of_death(limits) from error
        except pa.ArrowException as error:
            crashed = ProcessingError("crashed", f"The process that read it returned damaged data: {error}.")
            raise _EndedError(crashed) from error
        self.answered += 1
        return table.to_pylist()[0]

    def end(self) -> None:
        """Kill the process and its children."""
        self._finalizer()

    def memory_bytes(self) -> int:
        """Resident memory of the process and its descendants now, in bytes, shared libraries included."""
        held = _memory_bytes(self._process.pid)
        self._peak_bytes = max(self._peak_bytes, held)
        return held

    def _has_ended(self) -> bool:
        """Whether the process is dead; it is not reaped here, so its pid is not reused."""
        return os.waitid(os.P_PID, self._process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None

    def _reason_of_death(self, limits: PageLimits) -> _EndedError:
        pid, patience = self._process.pid, time.monotonic() + DEATH_SECONDS
        while not self._has_ended():
            if time.monotonic() > patience:
                return _EndedError(
                    ProcessingError("crashed", "The process that read it closed its connection and did not end.")
                )
            time.sleep(0.01)
        _kill_group(pid)  # its children; before it is reaped, so that the pid cannot belong to another process
        _, status, usage = os.wait4(pid, 0)
        self._process.returncode = os.waitstatus_to_exitcode(status)
        reported = usage.ru_maxrss * 1024
        peak = reported if reported > self._parent_peak_bytes else self._peak_bytes
        if peak > NEAR_LIMIT * limits.megabytes * 1_000_000:
            return _out_of_memory(limits)
        if os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL:
            message = "The system killed the process that read it (SIGKILL), most likely because memory ran out."
            return _EndedError(ProcessingError("out_of_memory", message), retryable=True)
        if os.WIFSIGNALED(status):
            how = f"was ended by {signal.Signals(os.WTERMSIG(status)).name}"
        else:
            how = f"ended with status {os.WEXITSTATUS(status)}"
        return _EndedError(ProcessingError("crashed", f"The process that read it {how}: these bytes crash a parser."))


def _end(process: subprocess.Popen[bytes], connection: Connection, scratch: ScratchFolder) -> None:
    connection.close()
    if process.returncode is None:
        _kill_group(process.pid)
        process.wait()
    scratch.remove()


def _kill_group(leader: int) -> None:
    with suppress(ProcessLookupError):
        os.killpg(leader, signal.SIGKILL)


def _memory_bytes(pid: int) -> int:
    """Resident memory of a process and its descendants; 0 for a dead one, which the connection to it reveals."""
    try:
        with open(f"/proc/{pid}/statm", "rb") as file:
            held = int(file.read().split()[1]) * _PAGE_BYTES
        with open(f"/proc/{pid}/task/{pid}/children", "rb") as file:
            children = file.read().split()
    except (OSError, IndexError):
        return 0
    return held + sum(_memory_bytes(int(child)) for child in children)


def _timeout(limits: PageLimits) -> _EndedError:
    message = f"Reading it took over {limits.seconds:g} s and was stopped; raise --page-time-limit-seconds."
    return _EndedError(ProcessingError("timeout", message))


def _out_of_memory(limits: PageLimits) -> _EndedError:
    message = f"Reading it took over {limits.megabytes} MB and was stopped; raise --page-memory-limit-megabytes."
    return _EndedError(ProcessingError("out_of_memory", message))
