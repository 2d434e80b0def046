from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.pipelines.batch.execution import execution

__all__ = ["execution", "few_samples"]


@pytest.fixture(scope="session")
def few_samples(samples_directory: Path, small_scan: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of small samples: born digital, scanned, an image of two frames, and the two that cannot be read."""
    folder = tmp_path_factory.mktemp("samples")
    for name in (
        "supplier-form.pdf",
        "fax-two-pages.tiff",
        "form-with-password.pdf",
        "agreement-cut-short.pdf",
    ):
        shutil.copy(samples_directory / name, folder / name)
    shutil.copy(small_scan, folder / "scan.png")
    return folder
