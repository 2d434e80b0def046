"""All hostile files. The damaged ones and the bombs are made anew each time; nothing of them lies in the repository."""

from __future__ import annotations

from functools import cache

from tests.hostile.broken_pdfs import broken_pdf_files
from tests.hostile.broken_references import broken_reference_files
from tests.hostile.encrypted_pdfs import encrypted_files
from tests.hostile.hostile_file import HostileFile
from tests.hostile.image_bombs import image_bomb_files
from tests.hostile.odd_images import odd_image_files
from tests.hostile.odd_pages import odd_page_files
from tests.hostile.odd_text import odd_text_files
from tests.hostile.odd_tiffs import odd_tiff_files
from tests.hostile.pdf_bombs import drawing_bomb_files, packed_bomb_files
from tests.hostile.pdf_images import pdf_image_files
from tests.hostile.wrong_types import wrong_type_files


@cache
def hostile_files() -> list[HostileFile]:
    """Every file, each under a name of its own."""
    return [
        *wrong_type_files(),
        *broken_pdf_files(),
        *broken_reference_files(),
        *encrypted_files(),
        *odd_page_files(),
        *odd_text_files(),
        *packed_bomb_files(),
        *drawing_bomb_files(),
        *pdf_image_files(),
        *odd_image_files(),
        *odd_tiff_files(),
        *image_bomb_files(),
    ]
