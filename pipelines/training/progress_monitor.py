"""Watching a run from the process that started it: the line of progress and the curve, from what the workers write."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from pipelines.errors import ProcessingError
from pipelines.storage.files import Storage, join_uri
from pipelines.training.metrics_log import CURVE, Line, draw_curve, progress_line, read_metrics

logger = logging.getLogger(__name__)

WATCH_SECONDS = 10.0


@contextmanager
def monitor_progress(storage: Storage, output: str, steps: int, title: str) -> Iterator[None]:
    """While the block runs, log the progress of a run of so many steps and keep its curve; once more at the end."""
    stop = threading.Event()
    watcher = threading.Thread(target=_watch, args=(storage, output, steps, title, stop), daemon=True)
    watcher.start()
    try:
        yield
    finally:
        stop.set()
        watcher.join()


def _watch(storage: Storage, output: str, steps: int, title: str, stop: threading.Event) -> None:
    told: list[Line] = []
    while True:
        last = stop.wait(WATCH_SECONDS)
        try:
            lines = read_metrics(storage, output)
            if told and (not lines or lines[-1]["step"] < told[-1]["step"]):
                logger.warning("the workers were started again, from the last checkpoint")
            if lines != told:
                logger.info(progress_line(lines, steps))
                storage.write(join_uri(output, CURVE), draw_curve(lines, title))
                told = lines
        except ProcessingError as error:  # the run itself will meet it; what can be told is told next time
            logger.warning("the progress cannot be read: %s", error.message)
        if last:
            return
