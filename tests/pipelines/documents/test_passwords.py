"""PDFs that need a password to be read, and lists of passwords that are tried on them."""

from __future__ import annotations

import io
import shutil
from pathlib import Path

import numpy as np
import pytest
from reportlab.lib.pdfencrypt import StandardEncryption
from reportlab.pdfgen.canvas import Canvas

from pipelines.documents.document import Document
from pipelines.documents.rendering import RenderOptions, render_grey
from pipelines.documents.text_layer import read_text_layer
from pipelines.errors import ProcessingError

TEXT = "The deposit is paid back within fourteen days"


def encrypted(password: str, strength: int = 128) -> bytes:
    stored = io.BytesIO()
    canvas = Canvas(stored, encrypt=StandardEncryption(password, ownerPassword="owner of it", strength=strength))
    for line in range(8):
        canvas.drawString(60, 700 - 20 * line, TEXT)
    canvas.save()
    return stored.getvalue()


@pytest.mark.parametrize("strength", [40, 128])
@pytest.mark.parametrize("passwords", [("sesame",), ("wrong", "sésame", "sesame", "other"), ("owner of it",)])
def test_one_of_the_passwords_opens_it(passwords: tuple[str, ...], strength: int, tmp_path: Path) -> None:
    (tmp_path / "a.pdf").write_bytes(encrypted("sesame", strength))
    for source in (encrypted("sesame", strength), tmp_path / "a.pdf"):
        with Document(source, passwords=passwords) as document:
            assert " ".join(read_text_layer(document, 0).words).startswith(TEXT)


@pytest.mark.parametrize(
    ("passwords", "told"),
    [
        ((), "requires a password to be read; save"),
        (("guess-1",), "the only password does not open it"),
        (("guess-1", "guess-2", "guess-3"), "none of the 3 passwords opens it"),
    ],
)
def test_without_the_right_one_it_is_encrypted_and_no_guess_is_told(passwords: tuple[str, ...], told: str) -> None:
    with pytest.raises(ProcessingError, match=told) as caught:
        Document(encrypted("sesame"), passwords=passwords)
    assert caught.value.kind == "encrypted" and "guess" not in caught.value.message


def test_passwords_are_for_encrypted_files_alone() -> None:
    with Document(encrypted(""), passwords=("wrong",)) as document:
        assert document.page_count == 1
    with pytest.raises(ProcessingError) as caught:
        Document(b"%PDF-1.7 and no more", passwords=("wrong",))
    assert caught.value.kind == "unreadable"


@pytest.mark.skipif(shutil.which("pdftoppm") is None, reason="poppler-utils is not installed")
def test_poppler_draws_a_copy_without_the_password(tmp_path: Path) -> None:
    path = tmp_path / "a.pdf"
    path.write_bytes(encrypted("sesame"))
    with Document(path, passwords=("sesame",)) as document:
        copy = document.path()
        assert copy != path
        grey = render_grey(document, 0, RenderOptions(rasterizer="pdf2image"))
        assert (np.asarray(grey) < 128).sum() > 1000
    assert not copy.exists()
