"""The progress of a run as the driver sees it: a log line and the curve, from the lines that the workers write."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from pipelines.errors import ProcessingError
from pipelines.storage.files import Storage, join_uri
from pipelines.training.metrics_log import CURVE, Line, draw_curve, progress_line, read_metrics

logger = logging.getLogger(__name__)

POLL_SECONDS = 10.0


@contextmanager
def monitor_progress(
    storage: Storage,
    output: str,
    steps: int,
    title: str,
    describe: Callable[[Sequence[Line], int], str] = progress_line,
    draw: Callable[[Sequence[Line], str], bytes] = draw_curve,
) -> Iterator[None]:
    """While the block runs, and once at its end, log the progress of a run of `steps` steps and draw its curve.

    Args:
        describe: the lines and the number of steps as a line for people.
        draw: the lines and the title as a PNG.
    """
    stop = threading.Event()

    def report(lines: Sequence[Line]) -> None:
        logger.info(describe(lines, steps))
        storage.write(join_uri(output, CURVE), draw(lines, title))

    monitor = threading.Thread(target=_monitor, args=(storage, output, report, stop), daemon=True)
    monitor.start()
    try:
        yield
    finally:
        stop.set()
        monitor.join()


def _monitor(storage: Storage, output: str, report: Callable[[Sequence[Line]], None], stop: threading.Event) -> None:
    reported: list[Line] = []
    while True:
        last = stop.wait(POLL_SECONDS)
        try:
            lines = read_metrics(storage, output)
            if reported and (not lines or lines[-1]["step"] < reported[-1]["step"]):
                logger.warning("the workers were restarted from the last checkpoint")
            if lines != reported:
                report(lines)
                reported = lines
        except ProcessingError as error:  # the run itself meets it too; the next poll reports what it can
            logger.warning("the progress cannot be read: %s", error.message)
        if last:
            return
