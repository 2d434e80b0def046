from __future__ import annotations

from collections.abc import Iterator
from functools import cache

import pytest

from model.ocr import ppocr
from model.ocr.options import PpOcrOptions
from model.ocr.ppocr_runtime import Networks, load_networks


@pytest.fixture(scope="package", autouse=True)
def networks_are_loaded_once() -> Iterator[None]:
    """The engines of these tests share PP-OCR's networks: half a second is saved each time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("model.ocr.ppocr.load_networks", cache(load_networks))
        yield


@pytest.fixture
def networks_are_loaded_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    """For tests of how they are loaded and freed."""
    monkeypatch.setattr("model.ocr.ppocr.load_networks", load_networks)


@pytest.fixture(scope="package")
def latin_networks(networks_are_loaded_once: None) -> Networks:
    """PP-OCR's networks for the Latin script."""
    return ppocr.load_networks(PpOcrOptions(), True)
