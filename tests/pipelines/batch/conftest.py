from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from PIL import Image

from tests.pipelines.batch.execution import execution

__all__ = ["execution", "few_samples", "short_fax"]


@pytest.fixture(scope="session")
def short_fax(samples_directory: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The head of each page of the fax: read by OCR in a quarter of the time of the whole pages."""
    path = tmp_path_factory.mktemp("fax") / "fax-two-pages.tiff"
    with Image.open(samples_directory / "fax-two-pages.tiff") as fax:
        heads = []
        for number in range(2):
            fax.seek(number)
            heads.append(fax.crop((0, 0, fax.width, fax.height // 4)))
        heads[0].save(path, save_all=True, append_images=heads[1:], compression="group4", dpi=fax.info["dpi"])
    return path


@pytest.fixture(scope="session")
def few_samples(
    samples_directory: Path, small_scan: Path, short_fax: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A folder of small samples: born digital, scanned, an image of two frames, and the two that cannot be read."""
    folder = tmp_path_factory.mktemp("samples")
    for name in ("supplier-form.pdf", "form-with-password.pdf", "agreement-cut-short.pdf"):
        shutil.copy(samples_directory / name, folder / name)
    shutil.copy(short_fax, folder / short_fax.name)
    shutil.copy(small_scan, folder / "scan.png")
    return folder
