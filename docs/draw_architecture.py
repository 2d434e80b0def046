"""Draws the two pictures of docs/architecture.md from the code itself: `python docs/draw_architecture.py`.

architecture-rooms.svg   the rooms of the source tree on their floors, and the imports between them
architecture-page.svg    the way of a document and of a page through the stages

Rooms, imports, stages and their descriptions are read from the code: imports by grimp, stages by running the functions
of `pipelines/extract.py` that list them, descriptions from docstrings. Each picture carries its data as JSON, which a
test compares with what this script reads.
"""

from __future__ import annotations

import ast
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial
from inspect import isclass
from pathlib import Path
from typing import Any, get_type_hints
from unittest.mock import patch
from xml.etree import ElementTree

REPOSITORY = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(REPOSITORY))

import grimp  # noqa: E402

from docs.layered_graph import Edge, Placed, place_in_layers  # noqa: E402
from docs.svg import Svg, text_width, wrap  # noqa: E402

ROOMS_PICTURE, PAGE_PICTURE = (REPOSITORY / "docs" / f"architecture-{name}.svg" for name in ("rooms", "page"))

PACKAGES = ("benchmarks", "jobs", "pipelines", "model")
DIVIDED = "pipelines"
"""The package whose parts are rooms of their own; each of the others is one room."""

ROOM_WIDTH, ROOM_GAP, FLOOR_GAP = 262.0, 26.0, 44.0
LINE = 14.5
"""Height of a line of small text, in pixels."""


@dataclass(frozen=True)
class Room:
    """A part of the source tree whose imports are drawn together.

    Attributes:
        floor: 1 for a room that imports no other one, else one more than the highest room that it imports.
        files: Python files in it.
        imports: by room, the imports of its files: pairs of importing and imported file.
    """

    name: str
    purpose: str
    floor: int
    files: int
    imports: dict[str, int]


@cache
def import_graph() -> grimp.ImportGraph:
    """The imports between the files of all packages."""
    return grimp.build_graph(*PACKAGES, cache_dir=None)


def purpose(module: str) -> str:
    """The first sentence of a module's docstring."""
    path = REPOSITORY.joinpath(*module.split("."))
    source = (path / "__init__.py" if path.is_dir() else path.with_suffix(".py")).read_text(encoding="utf-8")
    return first_sentence(ast.get_docstring(ast.parse(source)))


def first_sentence(docstring: str | None) -> str:
    """The first sentence of a docstring, in one line and without backquotes."""
    paragraph = (docstring or "").split("\n\n")[0]
    return " ".join(paragraph.split()).split(". ")[0].rstrip(".").replace("`", "")


def room_of(module: str) -> str:
    """The room that a module is in; the divided package itself belongs to none of its rooms."""
    parts = module.split(".")
    return ".".join(parts[:2]) if parts[0] == DIVIDED else parts[0]


def read_rooms() -> dict[str, Room]:
    """The rooms by name.

    Raises:
        ValueError: rooms import each other in a circle.
    """
    graph = import_graph()
    files: dict[str, int] = {}
    imports: dict[str, dict[str, int]] = {}
    for module in sorted(graph.modules - {DIVIDED}):
        room = room_of(module)
        files[room] = files.get(room, 0) + 1
        imported = imports.setdefault(room, {})
        for target in map(room_of, sorted(graph.find_modules_directly_imported_by(module) - {DIVIDED})):
            if target != room:
                imported[target] = imported.get(target, 0) + 1

    def floor_of(room: str, above: tuple[str, ...] = ()) -> int:
        if room in above:
            raise ValueError(f"rooms import each other in a circle: {', '.join((*above, room))}")
        return 1 + max((floor_of(target, (*above, room)) for target in imports[room]), default=0)

    return {room: Room(room, purpose(room), floor_of(room), files[room], imports[room]) for room in sorted(files)}


def reduced_imports(rooms: Mapping[str, Room]) -> list[tuple[str, str]]:
    """The imports that are not implied by a way over other rooms: the fewest arrows that show what stands on what."""

    @cache
    def below(room: str) -> frozenset[str]:
        return frozenset(rooms[room].imports).union(*map(below, rooms[room].imports))

    return [
        (room, target)
        for room in rooms
        for target in rooms[room].imports
        if not any(target in below(other) for other in rooms[room].imports if other != target)
    ]


@dataclass(frozen=True)
class Step:
    """A stage on the way of a page, or a sandbox with stages inside.

    Attributes:
        uses: modules of `model`, `pipelines.documents` and `pipelines.storage` that it imports.
        inside: of a sandbox, the stages that run in its process.
        columns: of a sandbox, those of the rows that come out.
    """

    name: str
    module: str
    purpose: str
    uses: tuple[str, ...]
    inside: tuple[Step, ...] = ()
    columns: tuple[str, ...] = ()


@dataclass(frozen=True)
class Operator:
    """An operator of Ray Data: steps that run one after the other in one actor or task; the columns that come out."""

    kind: str
    steps: tuple[Step, ...]
    columns: tuple[str, ...]


def step_of(factory: Callable[[], Any]) -> Step:
    """The stage that a factory makes: it is a class, a function that returns one, or a partial of either."""
    from pipelines.stages.sandbox import Sandbox

    made = factory.func if isinstance(factory, partial) else factory
    stage = made if isclass(made) else get_type_hints(made)["return"]
    uses = (
        module
        for module in sorted(import_graph().find_modules_directly_imported_by(stage.__module__))
        if module.startswith(("model", "pipelines.documents", "pipelines.storage"))
    )
    step = Step(stage.__name__, stage.__module__, stage_purpose(stage), tuple(uses))
    if stage is not Sandbox:
        return step
    spec = factory().spec  # a sandbox starts no process before its first row
    return replace(step, inside=tuple(map(step_of, spec.stage_factories)), columns=tuple(spec.schema.names))


def stage_purpose(stage: type) -> str:
    """What a stage does: its module says it, or the class itself where the module has several."""
    classes = [thing for thing in vars(sys.modules[stage.__module__]).values() if isclass(thing)]
    stages = [thing for thing in classes if thing.__module__ == stage.__module__ and "__call__" in vars(thing)]
    return first_sentence(stage.__doc__) if len(stages) > 1 else purpose(stage.__module__)


def read_page_way() -> list[Operator]:
    """The operators that `extract_pages` builds with a GPU, as it builds them."""
    from model.untrained import UNTRAINED
    from pipelines.extract import extract_pages
    from pipelines.options import ExtractOptions
    from pipelines.runtime.pools import plan_pools

    operators: list[Operator] = []

    def map_stages(rows: Any, factories: Sequence[Callable[[], Any]], schema: Any, pools: Any, kind: str) -> Any:
        operators.append(Operator(f"{kind}: actors", tuple(map(step_of, factories)), tuple(schema.names)))
        return rows

    def map_stage(rows: Any, factory: Callable[[], Any], schema: Any, pools: Any) -> Any:
        step = step_of(factory)
        operators.append(Operator(f"{step.name.lower()}: tasks", (step,), tuple(schema.names)))
        return rows

    recorders = patch.multiple("pipelines.stages.ray_data", map_stages=map_stages, map_stage=map_stage)
    with recorders:
        extract_pages(None, ExtractOptions(UNTRAINED), plan_pools(2, 1))  # type: ignore[arg-type]
    return operators


def read_document_way() -> Operator:
    """The steps that open a listed document and count its pages."""
    from pipelines.extract import count_steps
    from pipelines.schema import DOCUMENTS
    from pipelines.stages.count_pages import ListingOptions
    from pipelines.stages.sandbox_protocol import PageLimits

    steps = tuple(map(step_of, count_steps(ListingOptions(), PageLimits())))
    return Operator("count: actors", steps, tuple(DOCUMENTS.names))


def rooms_data() -> dict[str, Any]:
    """What the picture of the rooms shows."""
    return {name: vars(room) for name, room in read_rooms().items()}


def page_data() -> dict[str, Any]:
    """What the picture of the page's way shows."""
    from pipelines.schema import LISTED, PAGE_TO_DO

    def plain(step: Step) -> dict[str, Any]:
        return {**vars(step), "uses": list(step.uses), "inside": [plain(inner) for inner in step.inside]} | {
            "columns": list(step.columns)
        }

    def operator(way: Operator) -> dict[str, Any]:
        return {"kind": way.kind, "steps": [plain(step) for step in way.steps], "columns": list(way.columns)}

    batch = ("listing", "discovery", "page_writer", "audit", "report")
    return {
        "listed": LISTED.names,
        "document": operator(read_document_way()),
        "page_to_do": PAGE_TO_DO.names,
        "page": [operator(way) for way in read_page_way()],
        "batch": {name: purpose(f"pipelines.batch.{name}") for name in batch},
    }


def data_in(picture: Path) -> dict[str, Any]:
    """The data that a picture was drawn from."""
    metadata = ElementTree.parse(picture).find("{http://www.w3.org/2000/svg}metadata")
    assert metadata is not None and metadata.text, f"{picture} carries no data"
    return json.loads(metadata.text)


def draw_rooms(data: Mapping[str, Any]) -> str:
    """The picture of the rooms: floors from the top down, arrows from a room to those that it stands on."""
    rooms = {name: Room(**room) for name, room in data.items()}
    lines = {name: _room_lines(room) for name, room in rooms.items()}
    heights = {name: 44 + LINE * (len(about) + len(imports)) for name, (about, imports) in lines.items()}
    top = max(room.floor for room in rooms.values())
    layers = [[name for name, room in rooms.items() if room.floor == floor] for floor in range(top, 0, -1)]
    edges = [Edge(*pair) for pair in reduced_imports(rooms)]
    placed = place_in_layers(layers, edges, ROOM_WIDTH, ROOM_GAP)
    floor_tops, y = [], 96.0
    for layer in layers:
        floor_tops.append(y)
        y += max(heights[name] for name in layer) + FLOOR_GAP
    svg = Svg(placed.width + 100, y + 4, data)
    svg.text(24, 36, "The rooms of the code", size=20, weight=600)
    svg.text(
        24,
        58,
        "A room imports only from rooms on lower floors. Arrows show what stands on what, with the number of imports; "
        "each room lists all of its imports.",
        colour="#555",
    )
    for index, floor_top in enumerate(floor_tops):
        height = max(heights[name] for name in layers[index])
        svg.rectangle(12, floor_top - 14, placed.width + 76, height + 28, fill="#f6f7f9", stroke="none", radius=8)
        svg.text(24, floor_top + 8, f"{top - index}", size=15, weight=600, colour="#9aa1ab")
    offset = 54.0
    _draw_arrows(svg, placed, edges, rooms, layers, floor_tops, heights, offset)
    for name, room in rooms.items():
        left, floor_top = placed.left[name] + offset, floor_tops[top - room.floor]
        about, imports = lines[name]
        fill = {"jobs": "#e7effc", "benchmarks": "#e7effc", "model": "#fdf1dc"}.get(name, "#ffffff")
        svg.rectangle(left, floor_top, ROOM_WIDTH, heights[name], fill=fill)
        svg.text(left + 10, floor_top + 19, _path(name), size=13, weight=600)
        files = "1 file" if room.files == 1 else f"{room.files} files"
        svg.text(left + ROOM_WIDTH - 10, floor_top + 19, files, size=11, colour="#777", anchor="end")
        for number, line in enumerate(about):
            svg.text(left + 10, floor_top + 37 + LINE * number, line)
        for number, line in enumerate(imports):
            svg.text(left + 10, floor_top + 41 + LINE * (len(about) + number), line, size=11, colour="#667")
    return svg.finish()


def _room_lines(room: Room) -> tuple[list[str], list[str]]:
    about = wrap(room.purpose, ROOM_WIDTH - 20, 11.5)
    imports = sorted(room.imports.items(), key=lambda item: (-item[1], item[0]))
    listed = "\u00a0· ".join(f"{target.rpartition('.')[2]}\u00a0{count}" for target, count in imports)
    return about, wrap(f"imports {listed}" if listed else "imports no other room", ROOM_WIDTH - 20, 11)


def _path(room: str) -> str:
    path = room.replace(".", "/")
    return f"{path}/" if (REPOSITORY / path).is_dir() else f"{path}.py"


def _draw_arrows(
    svg: Svg,
    placed: Placed,
    edges: Sequence[Edge],
    rooms: Mapping[str, Room],
    layers: Sequence[Sequence[str]],
    floor_tops: Sequence[float],
    heights: Mapping[str, float],
    offset: float,
) -> None:
    top = len(layers)
    for edge in edges:
        first, last = top - rooms[edge.source].floor, top - rooms[edge.target].floor
        points = [(placed.exits[edge] + offset, floor_tops[first] + heights[edge.source])]
        for floor, x in zip(range(first + 1, last), placed.bends[edge], strict=True):
            tallest = max(heights[name] for name in layers[floor])
            points += [(x + offset, floor_tops[floor] - 14), (x + offset, floor_tops[floor] + tallest + 14)]
        points.append((placed.entries[edge] + offset, floor_tops[last]))
        svg.arrow(points)
        x, y = points[-1]
        svg.label(x + 9, y - 9, str(rooms[edge.source].imports[edge.target]))


def draw_page_way(data: Mapping[str, Any]) -> str:
    """The picture of the way: from the top down, with what each step does and which columns it adds and drops."""
    batch, columns = data["batch"], data["page_to_do"]
    way = _Way(Svg(1020, 0, data), 62.0)
    way.svg.text(24, 36, "The way of a document and of its pages", size=20, weight=600)
    way.box("list", "pipelines/batch/listing.py", batch["listing"])
    way.operator(data["document"], data["listed"])
    way.box("documents/*.parquet", "pipelines/batch/discovery.py", batch["discovery"], fill=WRITTEN)
    for operator in data["page"]:
        way.operator(operator, columns)
        columns = operator["columns"]
    way.box("pages/*.parquet", "pipelines/batch/page_writer.py", batch["page_writer"], fill=WRITTEN)
    way.box("run.json", "pipelines/batch/audit.py", batch["audit"], fill=WRITTEN)
    way.box("report.html", "pipelines/batch/report.py", batch["report"], fill=WRITTEN)
    way.svg.height = way.y
    return way.svg.finish()


WRITTEN = "#e9f5ea"
"""Colour of what is written."""

BOX_LEFT, BOX_WIDTH, TEXT_LEFT, TEXT_WIDTH = 64.0, 210.0, 330.0, 640.0
GAP = 26.0


class _Way:
    """Boxes below each other, arrows between them, and frames around some.

    Attributes:
        y: where the next box begins.
    """

    def __init__(self, svg: Svg, y: float) -> None:
        self.svg, self.y = svg, y
        self._bottom: float | None = None

    def box(self, name: str, path: str, about: str, uses: str = "", *, fill: str = "#ffffff") -> None:
        """A box with its file and description at its right, and an arrow from the box before."""
        lines, middle = wrap(about, TEXT_WIDTH, 11.5), BOX_LEFT + BOX_WIDTH / 2
        height = max(38.0, 24 + LINE * (len(lines) + bool(uses)))
        if self._bottom is not None:
            self.svg.arrow([(middle, self._bottom), (middle, self.y)])
        self.svg.rectangle(BOX_LEFT, self.y, BOX_WIDTH, height, fill=fill)
        self.svg.text(middle, self.y + height / 2 + 4.5, name, size=13, weight=600, anchor="middle")
        self.svg.text(TEXT_LEFT, self.y + 14, path, size=11, colour="#667", mono=True)
        for number, line in enumerate(lines):
            self.svg.text(TEXT_LEFT, self.y + 30 + LINE * number, line)
        if uses:
            self.svg.text(TEXT_LEFT, self.y + 30 + LINE * len(lines), f"uses {uses}", size=11, colour="#667")
        self._bottom = self.y + height
        self.y = self._bottom + GAP

    def operator(self, operator: Mapping[str, Any], columns: Sequence[str]) -> None:
        """An operator of Ray Data around its steps, and what it does to the columns."""
        frame = self.svg.open_frame(26, self.y, 968, "#eef3fb", "#9db7dd")
        title = f"Ray Data operator, {operator['kind']}"
        self.svg.text(TEXT_LEFT, self.y + 17, title, size=12, weight=600, colour="#37588c")
        self.y += 32
        for step in operator["steps"]:
            if step["inside"]:
                self._sandbox(step)
            else:
                self._step(step)
        self.y -= 4
        for title, names in zip(("adds", "drops"), _difference(columns, operator["columns"]), strict=True):
            for number, line in enumerate(wrap(f"{title} {', '.join(names)}", TEXT_WIDTH, 11.5) if names else ()):
                self.svg.text(TEXT_LEFT + (24 if number else 0), self.y, line, colour="#37588c")
                self.y += LINE
        self.svg.close_frame(frame, self.y - 3)
        self.y += GAP - 3

    def _sandbox(self, step: Mapping[str, Any]) -> None:
        frame = self.svg.open_frame(44, self.y, 932, "#fdf0ee", "#e0a79d")
        title = "sandbox: a process that can be killed"
        self.svg.text(TEXT_LEFT, self.y + 17, title, size=12, weight=600, colour="#9c4a3c")
        self.y += 32
        for stage in step["inside"]:
            self._step(stage)
        self.svg.close_frame(frame, self.y - GAP + 10)
        self.y += 10

    def _step(self, step: Mapping[str, Any]) -> None:
        path = step["module"].replace(".", "/") + ".py"
        uses = ", ".join(module.removeprefix("pipelines.") for module in step["uses"])
        while text_width(uses, 11) > TEXT_WIDTH - 40:
            uses = f"{uses.rpartition(',')[0]} …"
        self.box(step["name"], path, step["purpose"], uses)


def _difference(before: Sequence[str], after: Sequence[str]) -> tuple[list[str], list[str]]:
    return [name for name in after if name not in before], [name for name in before if name not in after]


def main() -> None:
    """Draw both pictures into their files."""
    ROOMS_PICTURE.write_text(draw_rooms(rooms_data()), encoding="utf-8")
    PAGE_PICTURE.write_text(draw_page_way(page_data()), encoding="utf-8")


if __name__ == "__main__":
    main()
