"""PDFs that are cut short, or whose tree of pages is wrong."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping

from tests.hostile.hostile_file import ENDED_OR_UNREADABLE, UNREADABLE, HostileFile, Kinds
from tests.hostile.raw_pdf import AFTER, BEFORE, FONT, good_page, page_objects, stream, text, write_pdf


def _long_document() -> bytes:
    """Twenty pages with noise between them, so that every cut goes through something else."""
    noise = random.Random(2)
    objects = {1: b"<< /Type /Catalog /Pages 2 0 R >>", 2: b"", 3: FONT}
    kids = []
    for index in range(20):
        number = 10 + 3 * index
        kids.append(number)
        objects[number] = (
            f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 400 300] /Contents {number + 1} 0 R "
            "/Resources << /Font << /F1 3 0 R >> >> >>"
        ).encode()
        objects[number + 1] = stream(text(f"Page{index}"))
        objects[number + 2] = stream(noise.randbytes(2000))
    listed = " ".join(f"{number} 0 R" for number in kids)
    objects[2] = f"<< /Type /Pages /Count {len(kids)} /Kids [{listed}] >>".encode()
    return write_pdf(objects)


def _cut(percent: int) -> bytes:
    data = _long_document()
    return data[: len(data) * percent // 100]


def _tree(tree: bytes, **others: bytes) -> bytes:
    """A document with the tree's root as given; objects 3 and 5 are good pages, 4 is one more."""
    return write_pdf(page_objects(text("Middle"), objects={2: tree, **{int(k[1:]): v for k, v in others.items()}}))


def _deep_tree(depth: int) -> bytes:
    objects = good_page("Deep") | {2: b"<< /Type /Pages /Count 1 /Kids [10 0 R] >>"}
    for level in range(depth):
        kid = 3 if level == depth - 1 else 11 + level
        parent = 2 if level == 0 else 9 + level
        objects[10 + level] = f"<< /Type /Pages /Count 1 /Parent {parent} 0 R /Kids [{kid} 0 R] >>".encode()
    return write_pdf(objects | {3: objects[3].replace(b"/Parent 2 0 R", b"/Parent %d 0 R" % (9 + depth))})


def _wide_tree() -> bytes:
    """Each level names the next ten times: 10 to the power of 9 pages in a file of a kilobyte."""
    objects = good_page("Wide") | {2: b"<< /Type /Pages /Kids [" + b"10 0 R " * 10 + b"] >>"}
    for level in range(8):
        kid = 3 if level == 7 else 11 + level
        objects[10 + level] = b"<< /Type /Pages /Parent 2 0 R /Kids [" + b"%d 0 R " % kid * 10 + b"] >>"
    return write_pdf(objects)


def _damaged_tree(
    name: str,
    why: str,
    tree: bytes,
    *,
    pages: int | None = None,
    document_may_fail: Kinds = UNREADABLE,
    page_errors: Mapping[int, Kinds] | None = None,
    may_fail: Mapping[int, Kinds] | None = None,
    words: Mapping[int, str] | None = None,
    **others: bytes,
) -> HostileFile:
    return HostileFile(
        name,
        lambda: _tree(tree, **others),
        why,
        pages=pages,
        document_may_fail=document_may_fail,
        page_errors=page_errors or {},
        may_fail=may_fail or {},
        words=words or {},
    )


def _cut_file(percent: int, why: str) -> HostileFile:
    make: Callable[[], bytes] = lambda: _cut(percent)  # noqa: E731
    name = f"cut-at-{percent}-percent.pdf"
    if percent < 20:
        return HostileFile(name, make, why, document_error="unreadable")
    # What a repair brings back must then be all that is there: page 0 lies before every cut.
    later = dict.fromkeys(range(1, 20), UNREADABLE)
    return HostileFile(name, make, why, document_may_fail=UNREADABLE, may_fail=later, words={0: "Page0"})


def broken_pdf_files() -> list[HostileFile]:
    """Cut files, and trees of pages that loop, lie, or hold what is no page."""
    return [
        _cut_file(10, "an upload that broke off early: neither the references nor most pages are there"),
        _cut_file(50, "half an upload: a repair may find half of the pages"),
        _cut_file(99, "the references at the end are cut: a repair may find everything"),
        HostileFile(
            "no-pages.pdf",
            lambda: _tree(b"<< /Type /Pages /Count 0 /Kids [] >>"),
            "a tree without a page",
            document_error="empty",
        ),
        HostileFile(
            "no-page-tree.pdf",
            lambda: write_pdf(good_page("Lost") | {1: b"<< /Type /Catalog >>"}),
            "a catalog that names no tree of pages",
            document_may_fail=frozenset({"empty", "unreadable"}),
            pages=1,
        ),
        HostileFile(
            "no-catalog.pdf",
            lambda: write_pdf(good_page("Lost") | {1: b"null"}),
            "a trailer whose catalog is null: a repair may find the pages",
            document_may_fail=UNREADABLE,
            pages=1,
        ),
        _damaged_tree(
            "page-tree-loop.pdf",
            "a tree that is a branch of itself: endless recursion",
            b"<< /Type /Pages /Count 3 /Kids [3 0 R 2 0 R 5 0 R] >>",
            may_fail=dict.fromkeys(range(1, 5), UNREADABLE),
            words={0: BEFORE},
        ),
        _damaged_tree(
            "page-tree-loop-uncounted.pdf",
            "the same without a count, so that the loop is met while the pages are counted",
            b"<< /Type /Pages /Kids [3 0 R 2 0 R 5 0 R] >>",
            may_fail=dict.fromkeys(range(1, 5), UNREADABLE),
            words={0: BEFORE},
        ),
        _damaged_tree(
            "parent-loop.pdf",
            "a page whose parents are each other's: what it inherits is looked for without end",
            b"<< /Type /Pages /Count 3 /Parent 10 0 R /Kids [3 0 R 4 0 R 5 0 R] >>",
            pages=3,
            words={0: BEFORE, 2: AFTER},
            may_fail={1: UNREADABLE},
            _4=b"<< /Type /Page /Parent 2 0 R /Contents 9 0 R >>",
            _10=b"<< /Type /Pages /Parent 2 0 R /Kids [2 0 R] >>",
        ),
        HostileFile(
            "deep-page-tree.pdf",
            lambda: _deep_tree(10_000),
            "a page under 10,000 levels: recursion that overflows the stack",
            pages=1,
            document_may_fail=frozenset({"unreadable", "empty"}),
            may_fail={0: UNREADABLE},
            words={0: "Deep"},
        ),
        HostileFile(
            "wide-page-tree.pdf",
            _wide_tree,
            "branches that share branches: a thousand million pages to count in a kilobyte",
            document_may_fail=ENDED_OR_UNREADABLE | {"empty"},
            words={0: "Wide"},
        ),
        _damaged_tree(
            "count-too-high.pdf",
            "says ten pages and has three: seven pages that nobody can read, and the three must be read",
            b"<< /Type /Pages /Count 10 /Kids [3 0 R 4 0 R 5 0 R] >>",
            document_may_fail=frozenset(),
            may_fail=dict.fromkeys(range(3, 10), UNREADABLE),
            words={0: BEFORE, 1: "Middle", 2: AFTER},
        ),
        _damaged_tree(
            "count-a-million.pdf",
            "says a million pages and has three: a million failed rows out of a kilobyte",
            b"<< /Type /Pages /Count 1000000 /Kids [3 0 R 4 0 R 5 0 R] >>",
            pages=3,
            document_may_fail=frozenset({"unreadable", "too_large"}),
            words={0: BEFORE, 1: "Middle", 2: AFTER},
        ),
        _damaged_tree(
            "count-too-low.pdf",
            "says one page and has three: viewers show one",
            b"<< /Type /Pages /Count 1 /Kids [3 0 R 4 0 R 5 0 R] >>",
            words={0: BEFORE},
        ),
        _damaged_tree(
            "count-negative.pdf",
            "says minus three pages",
            b"<< /Type /Pages /Count -3 /Kids [3 0 R 4 0 R 5 0 R] >>",
            pages=3,
            words={0: BEFORE, 1: "Middle", 2: AFTER},
        ),
        _damaged_tree(
            "count-no-number.pdf",
            "a word for the number of pages",
            b"<< /Type /Pages /Count /Three /Kids [3 0 R 4 0 R 5 0 R] >>",
            pages=3,
            words={0: BEFORE, 1: "Middle", 2: AFTER},
        ),
        _damaged_tree(
            "page-missing.pdf",
            "the second page's object does not exist",
            b"<< /Type /Pages /Count 3 /Kids [3 0 R 99 0 R 5 0 R] >>",
            pages=3,
            document_may_fail=frozenset(),
            page_errors={1: UNREADABLE},
            words={0: BEFORE, 2: AFTER},
        ),
        _damaged_tree(
            "page-no-dictionary.pdf",
            "the second page is a number",
            b"<< /Type /Pages /Count 3 /Kids [3 0 R 4 0 R 5 0 R] >>",
            pages=3,
            document_may_fail=frozenset(),
            page_errors={1: UNREADABLE},
            words={0: BEFORE, 2: AFTER},
            _4=b"42",
        ),
        _damaged_tree(
            "page-of-wrong-type.pdf",
            "the second page is a font",
            b"<< /Type /Pages /Count 3 /Kids [3 0 R 6 0 R 5 0 R] >>",
            pages=3,
            document_may_fail=frozenset(),
            may_fail={1: UNREADABLE},
            words={0: BEFORE, 2: AFTER},
        ),
        _damaged_tree(
            "page-twice.pdf",
            "the same page stands twice in the tree: two pages, not a loop",
            b"<< /Type /Pages /Count 2 /Kids [3 0 R 3 0 R] >>",
            pages=2,
            document_may_fail=frozenset(),
            words={0: BEFORE, 1: BEFORE},
        ),
        _damaged_tree(
            "kids-no-array.pdf",
            "the list of pages is a number",
            b"<< /Type /Pages /Count 3 /Kids 7 >>",
            document_may_fail=frozenset({"unreadable", "empty"}),
            may_fail=dict.fromkeys(range(3), UNREADABLE),
        ),
    ]
