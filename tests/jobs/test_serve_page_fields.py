"""Fields on the web page: keys with their values, in a real browser, from answers that are made by hand."""

from __future__ import annotations

import csv
import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from selenium.webdriver import Chrome
from selenium.webdriver.common.keys import Keys

from tests.chromium import set_screen
from tests.jobs.endpoint import Endpoint
from tests.jobs.reading_page import ReadingPage

pytestmark = pytest.mark.xdist_group("serve")

MARKUP = "<img src=x onerror=alert(1)>"
HEBREW = "שלום בע״מ"
LONG = "a value that goes on " * 30 + "w" * 200

Box = list[int]


def pair(row: int, key: str, value: str, section: str | None = None) -> dict[str, Any]:
    """A key and, at its right, its value in a row of the page; each is a word."""
    top = 40 * row
    return {
        "section": section,
        "key": key,
        "value": value,
        "score": 0.9 - row / 100,
        "key_box": [50, top, 150, top + 15],
        "value_box": [250, top, 400, top + 15],
        "key_words": [2 * row],
        "value_words": [2 * row + 1],
    }


def entity(label: str, text: str, box: Box, word: int) -> dict[str, Any]:
    found = {"label": label, "text": text, "box": box, "score": 0.5}
    return {**found, "first_word": word, "last_word": word, "words": [word]}


def page_line(index: int, pairs: list[dict[str, Any]] | None, **columns: Any) -> dict[str, Any]:
    """The line of a page with these pairs, each with two entities, and with the number of the page as an entity."""
    words, boxes = [str(index + 1), *["-"] * 11], [[480, 980, 520, 990], *[[0, 0, 1, 1]] * 11]
    entities = [entity("HEADER", words[0], boxes[0], 0)]
    for found in pairs or ():
        for kind, label in (("key", "QUESTION"), ("value", "ANSWER")):
            [word] = found[f"{kind}_words"]
            words[word], boxes[word] = found[kind], found[f"{kind}_box"]
            entities.append(entity(label, found[kind], found[f"{kind}_box"], word))
    row = {
        "page_index": index,
        "page_count": 2,
        "width": 1000,
        "height": 1400,
        "text_source": "layer",
        "words": words,
        "boxes": boxes,
        "entities": entities,
        "pairs": pairs,
        "form_fields": None,
        "status": "ok",
        "model": "m@1",
    }
    return {"page": row | columns}


DOCUMENT = {"document": {"uri": "form.pdf", "page_count": 2, "pages_selected": 2, "status": "ok"}}
FORM_FIELD = {
    "name": "form.agreed",
    "label": "I agree",
    "value": None,
    "type": "check_box",
    "box": [700, 700, 720, 715],
}
PAIRS = [
    pair(1, "Name:", MARKUP, "A. Company"),
    pair(2, "Name:", HEBREW, "A. Company"),
    pair(3, "Date:", "=1+1", None),
    pair(4, "City:", LONG, "A. Company"),
    pair(5, "Who:", "Ann", "B. <b>Contact</b>"),
]
ANSWER = (DOCUMENT, page_line(0, PAIRS, form_fields=[FORM_FIELD]), page_line(1, []))
SHOWN = [
    ["Without a section"],
    ["I agree", "emptycheck box", "1.00", "1"],
    ["Date:", "=1+1", "0.87", "1"],
    ["A. Company"],
    ["Name:", MARKUP, "0.89", "1"],
    ["Name:", HEBREW, "0.88", "1"],
    ["City:", LONG, "0.86", "1"],
    ["B. <b>Contact</b>"],
    ["Who:", "Ann", "0.85", "1"],
]
FIELDS = "svg.overlay .field"


@pytest.fixture
def form(tmp_path: Path) -> Path:
    """A file to send; what it holds is not looked at."""
    path = tmp_path / "form.pdf"
    path.write_bytes(b"%PDF-")
    return path


@pytest.fixture
def fields(page: ReadingPage, form: Path) -> ReadingPage:
    """The page with the fields of the answer above."""
    page.answer(*ANSWER)
    page.read(form, view="fields")
    return page


def module(chrome: Chrome, endpoint: Endpoint, expression: str, *arguments: Any) -> Any:
    """What an expression over the modules of the page, such as `fields.bySection(first)`, gives for its arguments."""
    page = ReadingPage(chrome, endpoint.url)
    if not page.is_open():
        page.visit(endpoint.key)
    script = (
        "const [first, second, third, fourth, done] = arguments;"
        "Promise.all(['connection', 'export', 'fields'].map((name) => import(`/web/${name}.js`)))"
        f".then(([connection, exporting, fields]) => done({expression}))"
    )
    return chrome.execute_async_script(script, *(list(arguments) + [None] * 4)[:4])


def test_fields_are_listed_by_section(fields: ReadingPage) -> None:
    assert fields.rows() == SHOWN
    assert fields.text(".layer:has([data-layer='fields'])").split() == ["fields", "6"]
    directions = fields.run(
        "return [...document.querySelectorAll('#table .key-text, #table .go, #table .group')].map(({dir}) => dir)"
    )
    assert set(directions) == {"auto"}


def test_types_of_values_come_with_the_last_page(page: ReadingPage, form: Path) -> None:
    first, last = (
        page_line(0, [pair(1, "Paid:", "12 €"), pair(2, "On:", "1. 5. 2026")]),
        page_line(1, [pair(1, "By:", "Ann")]),
    )
    told = [("Paid:", "amount", "12 EUR"), ("On:", "date", "2026-05-01"), ("By:", "text", None)]
    found = [*first["page"]["pairs"], *last["page"]["pairs"]]
    rows = [
        {**one, "page_index": index, "value_type": kind, "value_normalized": normalized, "needs_review": None}
        for one, index, (_, kind, normalized) in zip(found, (0, 0, 1), told, strict=True)
    ]
    page.answer(DOCUMENT, first, {**last, "fields": rows})
    page.read(form, view="fields")
    assert [row[:2] for row in page.rows()] == [
        ["Paid:", "12 €amount 12 EUR"],
        ["On:", "1. 5. 2026date 2026-05-01"],
        ["By:", "Ann"],
    ]
    page.hold_timers(at_least=1000)
    page.all("#table .go")[1].click()
    page.wait(lambda: page.all(".field.flash-still .connection"))


def test_a_question_leaves_the_types_of_values(page: ReadingPage, form: Path) -> None:
    found = pair(1, "Paid:", "12 €")
    typed = {**found, "page_index": 0, "value_type": "amount", "value_normalized": "12 EUR", "needs_review": None}
    read = page_line(0, [found], page_count=1)
    page.answer(DOCUMENT, {**read, "fields": [typed]})
    page.read(form, view="fields")
    shown = [["Paid:", "12 €amount 12 EUR", "0.89", "1"]]
    assert page.rows() == shown
    missing = {"question": "Who?", "text": None, "score": 0.1, "boxes": [], "first_word": None, "last_word": None}
    unasked = {name: value for name, value in read["page"].items() if name not in ("entities", "pairs")}
    page.answer(DOCUMENT, {"page": {**unasked, "answers": [missing], "model": "ask@1"}})
    page.ask("Who?")
    assert page.rows() == shown


def test_what_stands_in_a_field_is_never_markup(fields: ReadingPage) -> None:
    fields.hover(fields.all(f"{FIELDS} .tone-1")[1])
    assert fields.text("#tip .tip-text") == MARKUP and fields.text("#tip strong") == "Name:"
    assert not fields.all("img[src='x']") and not fields.all("#table b")


def test_the_switch_shows_entities_instead(fields: ReadingPage) -> None:
    assert fields.one("#show-fields").get_attribute("aria-pressed") == "true"
    assert len(fields.all(FIELDS)) == 6
    fields.one("#show-entities").click()
    assert fields.one("#show-fields").get_attribute("aria-pressed") == "false"
    assert [row[:2] for row in fields.rows()[1:3]] == [["QUESTION", "Name:"], ["ANSWER", MARKUP]]
    assert not fields.all(FIELDS) and len(fields.all("svg.overlay .entity")) >= 11
    fields.one("#show-fields").click()
    assert fields.rows() == SHOWN and len(fields.all(FIELDS)) == 6


def test_a_page_without_fields_keeps_its_entities(fields: ReadingPage) -> None:
    assert fields.text("#without-fields") == "Page 2 has no fields; what was found there is under Entities."
    fields.run("document.querySelectorAll('article.page')[1].scrollIntoView()")
    marks = "article[data-page='1'] .entity"
    fields.wait(lambda: fields.all(marks))
    fields.run("document.querySelector(arguments[0]).dispatchEvent(new MouseEvent('click', {bubbles: true}))", marks)
    assert fields.texts("tr.chosen td") == ["HEADER", "2", "0.50", "2"]


def test_a_document_without_fields_shows_entities_and_no_switch(page: ReadingPage, form: Path) -> None:
    page.answer(DOCUMENT, page_line(0, []), page_line(1, None))
    page.read(form, view="fields")
    assert page.rows() == [["HEADER", "1", "0.50", "1"], ["HEADER", "2", "0.50", "2"]]
    assert not page.one("#views").is_displayed() and not page.text("#without-fields")


def test_a_line_leads_from_each_key_to_its_value(fields: ReadingPage) -> None:
    lines = fields.run(
        "return [...document.querySelectorAll('.field')].map((field) => {"
        "  const line = field.querySelector('.connection:not(.end)');"
        "  if (!line) return null;"
        "  const ends = [line.getPointAtLength(0), line.getPointAtLength(line.getTotalLength())];"
        "  return ends.map(({x, y}) => [Math.round(x), Math.round(y)]);"
        "})"
    )
    keyed = [[[152, 40 * row + 8], [248, 40 * row + 8]] for row in (1, 2, 3, 4, 5)]
    assert lines == [None, *keyed], "the field of the form has no key on the page"


@pytest.mark.parametrize("how", ["pointer", "keyboard"])
def test_a_row_lights_its_key_its_value_and_their_line(fields: ReadingPage, how: str) -> None:
    row = fields.all("#table tr[data-row]")[1]
    if how == "pointer":
        fields.hover(row)
    else:
        fields.run("document.querySelectorAll('#table .go')[0].focus()")
        fields.press(Keys.TAB)
    [lit] = fields.all("svg.overlay .lit")
    assert lit.get_attribute("aria-label") == "Date: =1+1, score 0.87"
    assert len(fields.all("svg.overlay .lit .mark")) == 2 and fields.all("svg.overlay .lit .connection")
    if how == "pointer":
        fields.hover(fields.one("#file-name"))
    else:
        fields.run("document.activeElement.blur()")
    assert not fields.all("svg.overlay .lit, svg.with-lit")


def test_a_row_leads_to_its_field_and_a_field_to_its_row(fields: ReadingPage) -> None:
    fields.hold_timers(at_least=1000)
    fields.all("#table .go")[5].click()
    fields.wait(lambda: fields.all(".field.flash-still"))
    assert (fields.one(".field.flash-still").get_attribute("aria-label") or "").endswith("Who: Ann, score 0.85")
    fields.run("document.querySelector('svg.overlay .field').focus()")
    fields.press(Keys.ARROW_DOWN, Keys.ARROW_DOWN, Keys.ENTER)
    assert fields.texts("tr.chosen .go") == [HEBREW] == [fields.focused().text]


def test_sorted_fields_name_their_section(fields: ReadingPage) -> None:
    fields.one("#table th.column-score button").click()
    assert [row[0] for row in fields.rows()] == [
        "I agree",
        "A. CompanyName:",
        "A. CompanyName:",
        "Date:",
        "A. CompanyCity:",
        "B. <b>Contact</b>Who:",
    ]
    assert not fields.all("#table .group")


def test_the_filter_looks_into_keys_values_and_sections(fields: ReadingPage) -> None:
    for typed, found in (("contact", ["Who:"]), ("DATE", ["Date:"]), ("goes on", ["City:"])):
        fields.run("document.querySelector('#filter').value = ''")
        fields.one("#filter").send_keys(typed)
        assert fields.texts("#table .key-text") == found


def test_fields_are_saved_as_csv_and_as_json(fields: ReadingPage, chrome: Chrome, tmp_path: Path) -> None:
    chrome.execute_cdp_cmd("Browser.setDownloadBehavior", {"behavior": "allow", "downloadPath": str(tmp_path)})
    fields.one("#csv").click()
    fields.one("#json").click()
    table, record = tmp_path / "form.fields.csv", tmp_path / "form.fields.json"
    fields.wait(lambda: table.exists() and record.exists())
    with table.open(encoding="utf-8-sig", newline="") as file:
        saved = list(csv.DictReader(file))
    assert [row["key"] for row in saved] == ["I agree", "Date:", "Name:", "Name:", "City:", "Who:"]
    assert (saved[2]["section"], saved[2]["value"], saved[2]["score"]) == ("A. Company", MARKUP, "0.8900")
    assert (saved[2]["page"], saved[2]["key_x0"], saved[2]["value_y1"]) == ("1", "50", "55")
    assert saved[1]["value"] == "'=1+1", "in a spreadsheet, a document's text is not a formula"
    assert (saved[0]["type"], saved[0]["value"], saved[0]["key_x0"], saved[0]["value_x0"]) == (
        "check_box",
        "",
        "",
        "700",
    )
    written = json.loads(record.read_text())
    assert written["document"]["uri"] == "form.pdf"
    assert [(one["page_index"], one["key"], one["value"]) for one in written["fields"]] == [
        (0, "I agree", None),
        *((0, one["key"], one["value"]) for one in PAIRS),
    ]


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_fields_stand_out_from_their_background(page: ReadingPage, form: Path, dark: bool) -> None:
    set_screen(page.chrome, 1280, 900, dark=dark, calm=True)
    page.answer(*ANSWER)
    page.read(form, view="fields")
    shown = (".group", ".group.muted", ".key-text", "td.column-value .go", ".kind", "#show-fields", "#show-entities")
    ratios = {selector: page.contrast(selector) for selector in (*shown, "#without-fields")}
    assert {selector: ratio for selector, ratio in ratios.items() if ratio < 4.5} == {}


def test_on_a_narrow_screen_long_values_wrap(page: ReadingPage, form: Path) -> None:
    set_screen(page.chrome, 390, 740, calm=True)
    page.answer(*ANSWER)
    page.read(form)
    page.one("#show-results").click()
    page.one("#show-fields").click()
    assert page.rows() == SHOWN and page.overflow() == 0
    page.hold_timers(at_least=1000)
    page.all(".go")[0].click()
    page.wait(lambda: page.one("#pages").is_displayed() and page.all(".flash-still"))
    assert page.overflow() == 0


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ([100, 100, 200, 115], [400, 100, 500, 115], [[250, 98, 350, 117]]),
        ([100, 100, 200, 115], [100, 300, 180, 315], [[100, 150, 190, 165], [100, 200, 200, 215]]),
        ([100, 100, 200, 115], [400, 300, 500, 315], [[205, 120, 395, 295]]),
        ([400, 300, 500, 315], [100, 100, 200, 115], [[205, 120, 395, 295]]),
    ],
    ids=["on a line", "in a column", "below", "above"],
)
def test_a_line_goes_around_words(chrome: Chrome, endpoint: Endpoint, key: Box, value: Box, words: list[Box]) -> None:
    points = module(chrome, endpoint, "connection.connection([first], [second], third, 1.4)", key, value, words)
    assert on_edge(points[0], key) and on_edge(points[-1], value) and len(points) <= 4
    for (x0, y0), (x1, y1) in pairwise(points):
        steps = [(x0 + (x1 - x0) * step / 50, y0 + (y1 - y0) * step / 50) for step in range(51)]
        assert not [at for at in steps for box in words if box[0] < at[0] < box[2] and box[1] < at[1] < box[3]]


def on_edge(point: list[float], box: Box) -> bool:
    x, y = point
    inside = box[0] <= x <= box[2] and box[1] <= y <= box[3]
    return inside and (x in (box[0], box[2]) or y in (box[1], box[3]))


def test_a_line_crosses_its_own_words_and_words_too_many_to_go_around(chrome: Chrome, endpoint: Endpoint) -> None:
    key, value, between = [100, 100, 200, 115], [300, 100, 400, 115], [230, 98, 250, 117]
    straight = [[200, 107.5], [300, 107.5]]
    for words, own, is_straight in (([between], [], False), ([between], [0], True), ([between] * 501, [], True)):
        line = "connection.connection([first], [second], third, 1.4, fourth)"
        assert (module(chrome, endpoint, line, key, value, words, own) == straight) is is_straight


def test_key_and_value_that_touch_have_no_line(chrome: Chrome, endpoint: Endpoint) -> None:
    boxes = ([[100, 100, 200, 115]], [[200, 100, 300, 115]])
    assert module(chrome, endpoint, "connection.connection(first, second, [], 1.4)", *boxes) == []


def test_a_line_joins_the_nearest_lines_of_key_and_value(chrome: Chrome, endpoint: Endpoint) -> None:
    keys, values = [[100, 100, 200, 115], [100, 120, 220, 135]], [[300, 120, 400, 135], [300, 140, 400, 155]]
    points = module(chrome, endpoint, "connection.connection(first, second, [], 1.4)", keys, values)
    assert points == [[220, 127.5], [300, 127.5]]


def test_a_section_goes_on_over_pages_and_is_named_again_after_another(chrome: Chrome, endpoint: Endpoint) -> None:
    rows = [(0, "A", "1"), (0, "B", "2"), (0, "A", "3"), (1, "B", "4"), (1, "A", "5")]
    fields = [{"page": page, "section": section, "key": key} for page, section, key in rows]
    groups = module(chrome, endpoint, "fields.bySection(first)", fields)
    assert [(name, [one["key"] for one in found]) for name, found in groups] == [
        ("A", ["1", "3"]),
        ("B", ["2", "4"]),
        ("A", ["5"]),
    ]
