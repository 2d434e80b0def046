"""The pictures of the architecture show what the code is now."""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree

from docs.draw_architecture import (
    PAGE_PICTURE,
    ROOMS_PICTURE,
    data_in,
    page_data,
    read_page_way,
    read_rooms,
    reduced_imports,
    rooms_data,
)
from docs.layered_graph import Edge, place_in_layers
from docs.svg import text_width, wrap
from tests.docs.documents import REPOSITORY, codes, table_rows

REDRAW = "draw it anew: .venv/bin/python docs/draw_architecture.py"


def words_in(picture: Path) -> str:
    texts = ElementTree.parse(picture).iter("{http://www.w3.org/2000/svg}text")
    return " ".join(" ".join((text.text or "").split()) for text in texts)


def test_the_rooms_are_drawn_as_they_are() -> None:
    data = rooms_data()
    assert data == data_in(ROOMS_PICTURE), REDRAW
    words = words_in(ROOMS_PICTURE)
    for name, room in data.items():
        assert name.replace(".", "/") in words
        for target, count in room["imports"].items():
            assert f"{target.rpartition('.')[2]} {count}" in words


def test_the_way_of_a_page_is_drawn_as_it_is() -> None:
    assert page_data() == data_in(PAGE_PICTURE), REDRAW
    words = words_in(PAGE_PICTURE)
    for operator in read_page_way():
        assert f"Ray Data operator, {operator.kind}" in words
        for step in (inner for outer in operator.steps for inner in (outer.inside or (outer,))):
            assert f"{step.module.replace('.', '/')}.py" in words


def test_the_stages_come_in_the_order_in_which_a_page_passes_them() -> None:
    names = [
        [inner.name for step in operator.steps for inner in (step.inside or (step,))] for operator in read_page_way()
    ]
    assert names == [["Fetch", "Rasterize", "Ocr", "Tokenize"], ["Infer"], ["Merge"]]


def test_a_room_stands_above_all_that_it_imports() -> None:
    rooms = read_rooms()
    assert {"jobs", "model", "benchmarks", "pipelines.stages"} <= set(rooms)
    for room in rooms.values():
        assert all(rooms[target].floor < room.floor for target in room.imports)
        assert room.purpose, f"{room.name} does not say what it is for"


def test_every_import_is_an_arrow_or_a_way_over_several() -> None:
    rooms = read_rooms()
    arrows = reduced_imports(rooms)

    def reached(room: str) -> set[str]:
        targets = {target for source, target in arrows if source == room}
        return targets.union(*map(reached, targets))

    for name, room in rooms.items():
        assert set(room.imports) <= reached(name)


def test_boxes_of_a_layer_stand_apart_and_passing_arrows_between_them() -> None:
    edges = [Edge("top", name) for name in "abc"] + [Edge("top", "low"), Edge("a", "low")]
    placed = place_in_layers([["top"], ["a", "b", "c"], ["low"]], edges, 100, 10)
    for left, right in pairwise(sorted(placed.left[name] for name in "abc")):
        assert right - left >= 110 - 1e-6
    (bend,) = placed.bends[Edge("top", "low")]
    assert all(not placed.left[name] < bend < placed.left[name] + 100 for name in "abc")
    assert all(0 <= left <= placed.width - 100 for left in placed.left.values())


def test_text_is_wrapped_at_spaces_within_its_width() -> None:
    lines = wrap("one two three four five six seven", 60, 10)
    assert " ".join(lines) == "one two three four five six seven"
    assert len(lines) > 2 and all(text_width(line, 10) <= 60 for line in lines)


def test_every_dependency_is_explained() -> None:
    listed = re.search(r"^dependencies = \[\n(.*?)^\]", (REPOSITORY / "pyproject.toml").read_text(), re.S | re.M)
    assert listed is not None
    names = {re.split(r"[>=<]", line.strip().strip('",'))[0] for line in listed[1].splitlines() if line.strip()}
    rows = table_rows(REPOSITORY / "docs" / "architecture.md", "Dependencies")
    assert {name for row in rows for name in row[0].split(", ")} == names


def test_the_files_to_begin_with_are_there() -> None:
    rows = table_rows(REPOSITORY / "docs" / "architecture.md", "Where to begin reading")
    for _, files in rows:
        folder = ""
        for code in codes(files):
            folder = code.rpartition("/")[0] or folder
            assert (REPOSITORY / folder / code.rpartition("/")[2]).is_file(), code
