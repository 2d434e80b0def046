"""PP-OCR's networks on the device: what a page's detection and the recognition of its lines take.

The time of these networks depends on the shapes of their inputs and not on what is on them, so noise serves.
"""

from __future__ import annotations

from functools import partial

import numpy as np

from benchmarks.accelerator.setting import Case, NotHereError, Row, Setting

LINES = 48
"""Lines of a page: a form has 30 to 60."""


def reading_cases(setting: Setting) -> list[Case]:
    """Detection of a page at two sizes, and recognition of a page's lines in batches."""
    if setting.quick:
        return [
            Case("detection", partial(network_seconds, setting, "detect", (1, 3, 64, 64))),
            Case("recognition", partial(network_seconds, setting, "recognise", (2, 3, 48, 64))),
        ]
    return [
        Case("detection 960", partial(network_seconds, setting, "detect", (1, 3, 960, 736))),
        Case("detection 1600", partial(network_seconds, setting, "detect", (1, 3, 1600, 1216))),
        Case("recognition one by one", partial(network_seconds, setting, "recognise", (1, 3, 48, 480))),
        Case("recognition in batches", partial(network_seconds, setting, "recognise", (LINES, 3, 48, 480))),
    ]


def network_seconds(setting: Setting, network: str, shape: tuple[int, int, int, int]) -> Row:
    """The row of one of the two networks.

    Raises:
        NotHereError: the networks, or the runtime that runs them on a GPU, are not installed.
    """
    try:
        from model.ocr.options import PpOcrOptions
        from model.ocr.ppocr_runtime import load_networks
        from model.ocr.tessdata import OcrUnavailableError
    except ImportError as error:
        raise NotHereError(f"PP-OCR cannot be imported: {error}") from error
    try:
        networks = load_networks(PpOcrOptions(runtime="cuda" if setting.on_gpu else "auto"), latin_only=False)
    except OcrUnavailableError as error:
        raise NotHereError(str(error)) from error
    pixels = np.random.default_rng(0).random(shape, dtype=np.float32)
    seconds = setting.seconds(partial(networks.detect if network == "detect" else networks.recognise, pixels))
    per_page = seconds if network == "detect" else seconds * LINES / shape[0]
    return {
        "network": network,
        "runtime": networks.runtime,
        "input": list(shape),
        "milliseconds": round(1000 * seconds, 3),
        "milliseconds_per_page": round(1000 * per_page, 3),
    }
