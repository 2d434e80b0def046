"""PDF pages of odd sizes, turns and numbers, and pages that want something done."""

from __future__ import annotations

from tests.hostile.hostile_file import ENDED, ENDED_OR_UNREADABLE, LAUNCH_MARK, UNREADABLE, HostileFile, Kinds
from tests.hostile.raw_pdf import FONT, between_good_pages, page_objects, stream, text, write_pdf

WORD = "Sized"

ROTATIONS = ("0", "90", "180", "270", "-90", "-450", "360", "450", "45", "-45", "90.5", "2147483640", "(90)", "null")
"""Every /Rotate that was ever seen; what is no multiple of 90 is against the standard, and read all the same."""


def _sized(
    name: str,
    why: str,
    media_box: str,
    page: str = "",
    *,
    x: float = 50,
    y: float = 100,
    size: float = 24,
    word: str | None = WORD,
    may_fail: Kinds = frozenset(),
) -> HostileFile:
    """A page of odd size; `word` is None where its word cannot be seen."""
    content = text(WORD, x, y, size)
    return between_good_pages(
        name,
        why,
        lambda: page_objects(content, media_box=media_box, page=page),
        may_fail=may_fail,
        word=word,
    )


def _many_pages(count: int) -> bytes:
    """Pages that share one content; 70 bytes a page."""
    objects = {
        1: b"<< /Type /Catalog /Pages 2 0 R >>",
        2: (
            f"<< /Type /Pages /Count {count} /MediaBox [0 0 400 300] /Resources << /Font << /F1 4 0 R >> >> /Kids ["
            + " ".join(f"{number} 0 R" for number in range(10, 10 + count))
            + "] >>"
        ).encode(),
        3: stream(text("Shared")),
        4: FONT,
    }
    objects |= {number: b"<< /Type /Page /Parent 2 0 R /Contents 3 0 R >>" for number in range(10, 10 + count)}
    return write_pdf(objects)


def _turned_pages() -> bytes:
    objects = {1: b"<< /Type /Catalog /Pages 2 0 R >>", 3: stream(text("Turned")), 4: FONT}
    for index, rotation in enumerate(ROTATIONS):
        objects[10 + index] = (
            f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 400 300] /Rotate {rotation} /Contents 3 0 R "
            "/Resources << /Font << /F1 4 0 R >> >> >>"
        ).encode()
    kids = " ".join(f"{10 + index} 0 R" for index in range(len(ROTATIONS)))
    objects[2] = f"<< /Type /Pages /Count {len(ROTATIONS)} /Kids [{kids}] >>".encode()
    return write_pdf(objects)


def _acting(
    name: str, why: str, catalog: str = "", page: str = "", objects: dict[int, bytes] | None = None
) -> HostileFile:
    """A page that wants something done when it is opened; nothing may be, and the page comes out."""
    return between_good_pages(
        name, why, lambda: page_objects(text(WORD), catalog=catalog, page=page, objects=objects), word=WORD
    )


_SCRIPT = "<< /S /JavaScript /JS (while (true) { app.alert\\(1\\); }) >>"
_LAUNCH = f"<< /S /Launch /F (/bin/sh) /Win << /F (cmd.exe) >> /Unix << /F (touch {LAUNCH_MARK}) >> >>"
_FETCH = "<< /S /GoToR /F << /FS /URL /F (http://127.0.0.1:9/hostile.pdf) >> /D [0 /Fit] >>"
_WIDGET = "/Type /Annot /Subtype /Widget /FT /Tx /Rect [50 50 200 80] /F 4"


def _looping_fields() -> dict[int, bytes]:
    """Form fields that are each other's children and parents."""
    fields = {
        10: f"<< {_WIDGET} /T (one) /Parent 11 0 R /Kids [11 0 R] >>".encode(),
        11: f"<< {_WIDGET} /T (two) /Parent 10 0 R /Kids [10 0 R] >>".encode(),
    }
    form = "/AcroForm << /Fields [10 0 R 11 0 R] /DA (/F1 12 Tf) /DR << /Font << /F1 6 0 R >> >> >>"
    return page_objects(text(WORD), page="/Annots [10 0 R 11 0 R]", catalog=form, objects=fields)


def _appearance_of_itself() -> dict[int, bytes]:
    """A stamp whose appearance draws the stamp's appearance."""
    loop = "/Type /XObject /Subtype /Form /BBox [0 0 150 30] /Resources << /XObject << /Me 11 0 R >> >>"
    objects = {
        10: b"<< /Type /Annot /Subtype /Stamp /Rect [50 50 200 80] /F 4 /AP << /N 11 0 R >> >>",
        11: stream(b"q /Me Do Q", loop),
    }
    return page_objects(text(WORD), page="/Annots [10 0 R]", objects=objects)


def _many_annotations(count: int) -> dict[int, bytes]:
    form = "/Type /XObject /Subtype /Form /BBox [0 0 10 10] /Resources << >>"
    objects = {10: stream(b"0 0 5 5 re f", form)}
    for number in range(11, 11 + count):
        place = f"{number % 390} {number % 290} {number % 390 + 10} {number % 290 + 10}"
        objects[number] = f"<< /Type /Annot /Subtype /Stamp /Rect [{place}] /F 4 /AP << /N 10 0 R >> >>".encode()
    listed = " ".join(f"{number} 0 R" for number in objects if number > 10)
    return page_objects(text(WORD), page=f"/Annots [{listed}]", objects=objects)


def _page_as_annotation() -> dict[int, bytes]:
    """A page among whose annotations are the page, the list itself, a number and what is missing."""
    return page_objects(text(WORD), page="/Annots 10 0 R", objects={10: b"[4 0 R 10 0 R 7 99 0 R null << >>]"})


_LARGE: Kinds = frozenset({"too_large", "unreadable"})


def odd_page_files() -> list[HostileFile]:
    """Boxes, turns, numbers of pages, actions and annotations."""
    return [
        HostileFile(
            "five-thousand-pages.pdf",
            lambda: _many_pages(5000),
            "5,000 pages in 700 kB: memory that grows with the pages",
            pages=5000,
            words={0: "Shared", 2500: "Shared", 4999: "Shared"},
        ),
        HostileFile(
            "every-rotation.pdf",
            _turned_pages,
            "pages turned by right angles, by others, by less than nothing and by a word",
            pages=len(ROTATIONS),
            words=dict.fromkeys(range(len(ROTATIONS)), "Turned"),
        ),
        _sized("page-200-inches.pdf", "1,600 million pixels at 200 dpi", "/MediaBox [0 0 14400 14400]"),
        _sized("page-one-point.pdf", "a page of three pixels", "/MediaBox [0 0 1 1]", x=0, y=0, size=1, word=None),
        _sized("page-no-area.pdf", "a page of no size", "/MediaBox [0 0 0 0]"),
        _sized("page-line.pdf", "a page of 14,400 by 0.01 points", "/MediaBox [0 0 14400 0.01]", word=None),
        _sized("page-upside-down.pdf", "a media box from its upper right corner", "/MediaBox [400 300 0 0]"),
        _sized(
            "page-below-zero.pdf", "a media box at negative coordinates", "/MediaBox [-400 -300 0 0]", x=-350, y=-200
        ),
        _sized(
            "page-far-out.pdf",
            "a media box a million points off",
            "/MediaBox [1000000 1000000 1000400 1000300]",
            x=1000050,
            y=1000100,
        ),
        _sized("page-without-box.pdf", "no media box: Letter, by custom", ""),
        _sized(
            "page-box-not-a-number.pdf",
            "NaN for the page's size",
            "/MediaBox [0 0 NaN NaN]",
            word=None,
            may_fail=UNREADABLE,
        ),
        _sized(
            "page-box-infinite.pdf",
            "inf for the page's size",
            "/MediaBox [0 0 inf -inf]",
            word=None,
            may_fail=UNREADABLE,
        ),
        _sized(
            "page-box-words.pdf",
            "names and strings for the page's size",
            "/MediaBox [/A (b) << >> null]",
            word=None,
            may_fail=UNREADABLE,
        ),
        _sized(
            "page-box-short.pdf", "a media box of two numbers", "/MediaBox [400 300]", word=None, may_fail=UNREADABLE
        ),
        _sized(
            "page-box-no-array.pdf", "a media box that is a number", "/MediaBox 400", word=None, may_fail=UNREADABLE
        ),
        _sized(
            "page-box-huge.pdf",
            "a page of 10 to the power of 30 points",
            f"/MediaBox [0 0 1{'0' * 30} 1{'0' * 30}]",
            word=None,
            may_fail=_LARGE,
        ),
        _sized(
            "page-box-beyond-float.pdf",
            "a page's size that overflows to infinity",
            f"/MediaBox [0 0 1{'0' * 60} 1{'0' * 60}]",
            word=None,
            may_fail=_LARGE,
        ),
        _sized(
            "page-box-two-thousand-million.pdf",
            "a page's size at the limit of integers",
            "/MediaBox [-2147483648 -2147483648 2147483647 2147483647]",
            word=None,
            may_fail=_LARGE,
        ),
        _sized(
            "crop-box-elsewhere.pdf",
            "a crop box that does not touch the page: the whole page is shown then, not nothing",
            "/MediaBox [0 0 400 300]",
            "/CropBox [5000 5000 5100 5100]",
        ),
        _sized(
            "crop-box-not-a-number.pdf",
            "a crop box of NaN",
            "/MediaBox [0 0 400 300]",
            "/CropBox [NaN NaN NaN NaN]",
            word=None,
            may_fail=UNREADABLE,
        ),
        _sized(
            "user-unit-huge.pdf",
            "each unit of the page is 75,000 points",
            "/MediaBox [0 0 400 300]",
            "/UserUnit 75000",
            may_fail=_LARGE,
        ),
        _sized("user-unit-not-a-number.pdf", "a unit of NaN", "/MediaBox [0 0 400 300]", "/UserUnit NaN"),
        _acting(
            "script.pdf",
            "JavaScript that never ends, on opening the file and the page",
            f"/OpenAction {_SCRIPT}",
            f"/AA << /O {_SCRIPT} >>",
        ),
        _acting("launch.pdf", "starts a program on opening", f"/OpenAction {_LAUNCH}", f"/AA << /O {_LAUNCH} >>"),
        _acting("fetch.pdf", "goes to another document over the network on opening", f"/OpenAction {_FETCH}"),
        _acting(
            "embedded-file.pdf",
            "carries a program, and is a portfolio of it",
            "/Names << /EmbeddedFiles << /Names [(run.exe) 10 0 R] >> >> /Collection << /D (run.exe) >>",
            objects={
                10: b"<< /Type /Filespec /F (run.exe) /EF << /F 11 0 R >> >>",
                11: stream(b"MZ" + bytes(5000), "/Type /EmbeddedFile"),
            },
        ),
        _acting(
            "xfa-form.pdf",
            "a form in XML that takes 2 to the power of 60 entities, if they are put in",
            "/AcroForm << /Fields [] /XFA 10 0 R >>",
            objects={10: stream(_entity_bomb())},
        ),
        between_good_pages(
            "form-fields-loop.pdf", "form fields that are each other's children", _looping_fields, word=WORD
        ),
        between_good_pages("stamp-draws-itself.pdf", "a stamp that draws itself", _appearance_of_itself, word=WORD),
        between_good_pages("page-is-annotation.pdf", "annotations that are none", _page_as_annotation, word=WORD),
        between_good_pages(
            "many-annotations.pdf",
            "20,000 stamps on one page, to be flattened into it",
            lambda: _many_annotations(20_000),
            may_fail=ENDED,
            word=WORD,
        ),
        between_good_pages(
            "outline-loop.pdf",
            "bookmarks that are each other's successors, and names that are their own branch",
            lambda: page_objects(
                text(WORD),
                catalog="/Outlines 10 0 R /Names << /Dests 12 0 R >>",
                objects={
                    10: b"<< /First 11 0 R /Last 11 0 R /Count 5 >>",
                    11: b"<< /Title (a) /Next 11 0 R /Parent 10 0 R /First 10 0 R >>",
                    12: b"<< /Kids [12 0 R] >>",
                },
            ),
            word=WORD,
        ),
        between_good_pages(
            "contents-loop.pdf",
            "a page whose content is a list that holds itself",
            lambda: page_objects(
                objects={
                    4: b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 400 300] /Contents 10 0 R "
                    b"/Resources << /Font << /F1 6 0 R >> >> >>",
                    9: stream(text(WORD)),
                    10: b"[10 0 R 9 0 R 10 0 R 4 0 R 99 0 R]",
                }
            ),
            may_fail=UNREADABLE,
            word=WORD,
        ),
        between_good_pages(
            "contents-many-parts.pdf",
            "a page whose content is one stream, 200,000 times",
            lambda: page_objects(
                objects={
                    4: b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 400 300] /Contents 10 0 R "
                    b"/Resources << /Font << /F1 6 0 R >> >> >>",
                    9: stream(text(WORD)),
                    10: b"[" + b"9 0 R " * 200_000 + b"]",
                }
            ),
            may_fail=ENDED_OR_UNREADABLE,
        ),
    ]


def _entity_bomb() -> bytes:
    entities = "".join(f'<!ENTITY e{level} "{f"&e{level - 1};" * 2}">' for level in range(1, 60))
    return f'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY e0 "x">{entities}]><x>&e59;</x>'.encode()
