"""The web page, in a real browser, on the real endpoint."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path
from typing import Any

import pytest
from selenium.webdriver import Chrome
from selenium.webdriver.common.keys import Keys

from tests.chromium import set_screen
from tests.drawn_pdf import DrawnPage, draw_pdf, show
from tests.hostile.broken_pdfs import broken_pdf_files
from tests.jobs.endpoint import Endpoint
from tests.jobs.reading_page import ReadingPage

pytestmark = pytest.mark.xdist_group("serve")

MARKUP = "<img src=x onerror=alert(1)>"


@pytest.fixture
def any_page(chrome: Chrome, endpoint: Endpoint) -> ReadingPage:
    """The page in whatever state."""
    page = ReadingPage(chrome, endpoint.url)
    if not page.is_open():
        page.visit(endpoint.key)
    return page


@pytest.fixture
def locked_page(chrome: Chrome, endpoint: Endpoint) -> ReadingPage:
    """The page in a tab without the key that the endpoint requires."""
    set_screen(chrome, 1280, 900)
    page = ReadingPage(chrome, endpoint.url)
    page.visit(key=None)
    return page


@pytest.fixture
def invoice(samples_directory: Path) -> Path:
    return samples_directory / "invoice.png"


@pytest.fixture
def form(samples_directory: Path) -> Path:
    return samples_directory / "supplier-form.pdf"


def answer_of(endpoint: Endpoint, document: Path) -> dict[str, Any]:
    with endpoint.client() as client:
        return client.post("/v1/extract", files={"file": (document.name, document.read_bytes())}).json()


def draw(folder: Path, name: str, *texts: str) -> Path:
    """A PDF with a text on each page."""
    document = folder / name
    document.write_bytes(draw_pdf(*(DrawnPage(show(text, 20, 200, 12)) for text in texts)))
    return document


def draw_register(folder: Path, count: int) -> Path:
    """A PDF with `count` pages, each of them quick to read."""
    return draw(folder, "register.pdf", *(f"Deed number {number} of the register" for number in range(1, count + 1)))


def test_the_first_screen_says_what_can_be_done_and_within_which_limits(page: ReadingPage) -> None:
    assert page.text("#limits") == "PDF or image, up to 2 MB and 100 pages."
    assert len(page.all("#abilities li")) == 3


def test_an_uploaded_page_shows_the_entities_of_the_endpoint(
    page: ReadingPage, endpoint: Endpoint, invoice: Path
) -> None:
    page.read(invoice)
    [answer] = answer_of(endpoint, invoice)["pages"]
    expected = [[entity["label"], entity["text"], f"{entity['score']:.2f}", "1"] for entity in answer["entities"]]
    assert page.rows() == expected
    assert len(page.all("svg.overlay .entity")) == len(expected)
    assert page.wait(lambda: page.run("return document.querySelector('.sheet img').naturalWidth")) > 500
    facts = page.text("article.page header p")
    assert re.fullmatch(rf"read by OCR · 120 words · read quality (0\.9\d|1\.00) · {len(expected)} entities", facts)


def test_a_label_of_the_legend_shows_and_hides_its_entities(page: ReadingPage, form: Path) -> None:
    page.read(form, pages="1")
    every_row = page.rows()
    questions = sum(row[0] == "QUESTION" for row in every_row)
    label = "[data-layer='label:QUESTION']"
    assert page.text(f".layer:has({label})").split() == ["QUESTION", str(questions)]
    page.run("document.querySelector(arguments[0]).click()", label)
    assert not [row for row in page.rows() if row[0] == "QUESTION"]
    assert len(page.all(".entity.off")) == questions
    page.run("document.querySelector(arguments[0]).click()", label)
    assert page.rows() == every_row


def test_a_score_is_shown_under_the_pointer_and_at_the_keyboards_focus(page: ReadingPage, form: Path) -> None:
    page.read(form, pages="1")
    label, _, score, _ = page.rows()[1]
    page.hover(page.all("svg.overlay .entity")[1])
    assert page.text("#tip").split()[:2] == [label, score]
    page.hover(page.one("h1#file-name"))
    page.wait(lambda: not page.one("#tip").is_displayed())
    page.run("document.querySelector('svg.overlay .entity').focus()")
    page.press(Keys.ARROW_RIGHT)
    assert page.focused().get_attribute("aria-label").endswith(f"score {score}")
    assert page.text("#tip").split()[:2] == [label, score]
    page.press(Keys.ESCAPE)
    assert not page.one("#tip").is_displayed()


def test_an_entity_entered_by_keyboard_leads_to_its_row(page: ReadingPage, form: Path) -> None:
    page.read(form, pages="1")
    page.run("document.querySelector('svg.overlay .entity').focus()")
    page.press(Keys.ARROW_DOWN, Keys.ARROW_DOWN, Keys.ENTER)
    assert page.texts("tr.chosen .go") == [page.rows()[2][1]]
    assert page.focused().text == page.rows()[2][1]


def test_a_chosen_row_stays_chosen_and_in_focus_when_the_table_is_redrawn(page: ReadingPage, form: Path) -> None:
    page.read(form, pages="1")
    label, text, *_ = page.rows()[0]
    page.run("document.querySelector('svg.overlay .entity').dispatchEvent(new MouseEvent('click', {bubbles: true}))")
    other = next(row[0] for row in page.rows() if row[0] != label)
    before = len(page.rows())
    page.run("document.querySelector(arguments[0]).click()", f"[data-layer='label:{other}']")
    assert len(page.rows()) < before
    assert page.texts("tr.chosen .go") == [text]
    assert page.focused().text == text


@pytest.mark.parametrize("calm", [False, True], ids=["with motion", "with less motion"])
def test_a_row_leads_to_its_entity_which_stands_out_for_a_moment(page: ReadingPage, form: Path, calm: bool) -> None:
    set_screen(page.chrome, 1280, 900, calm=calm)
    page.read(form, pages="1-2")
    page.hold_timers(at_least=1000)  # the moment lasts until the test has looked at it
    page.run("[...document.querySelectorAll('.go')].at(-1).click()")
    flashing = ".flash-still" if calm else ".flash"
    page.wait(lambda: page.all(flashing) and page.is_in_view(flashing))
    assert page.one(flashing).get_attribute("aria-label").startswith(f"{page.rows()[-1][0]}: {page.rows()[-1][1]}, ")
    assert max(page.release_timers()) < 5000
    page.wait(lambda: not page.all(flashing))


def test_questions_are_answered_beside_the_entities_and_marked_where_they_stand(page: ReadingPage, form: Path) -> None:
    set_screen(page.chrome, 1280, 900)
    page.read(form, pages="1")
    entities = page.rows()
    page.ask("What is the company?", "Who is the contact?")
    assert page.texts(".question span:last-child") == ["What is the company?", "Who is the contact?"]
    answers = page.all("#answers > li")
    assert len(answers) == 2
    drawn = page.all("svg.overlay .answer")
    assert len(drawn) == len(page.all(".answer-text")) > 0
    words = page.texts(".answer-words")[0]
    assert words in page.run("return document.querySelector('.mark.answer').getAttribute('aria-label')")
    page.hold_timers(at_least=1000)
    page.all(".answer-text")[0].click()
    page.wait(lambda: page.all(".answer.flash"))
    assert page.rows() == entities


def test_a_model_that_answers_questions_waits_for_one(page: ReadingPage, form: Path) -> None:
    page.run("document.querySelector('#model').value = 'ask'")
    page.choose(form)
    page.wait(lambda: page.focused().get_attribute("id") == "question-lines")
    assert not page.all("article.page")
    page.ask("When was it founded?")
    assert len(page.all("article.page")) == 3 and len(page.all("#answers > li")) == 1


def test_a_class_comes_with_the_probability_of_each(page: ReadingPage, form: Path) -> None:
    page.read(form, model="kinds", pages="1")
    shares = [float(score) for score in page.texts(".class-score")]
    assert sorted(page.texts(".class-name")) == ["contract", "form", "letter", "receipt"]
    assert shares == sorted(shares, reverse=True) and sum(shares) == pytest.approx(1, abs=0.03)
    label, _, score, _ = page.rows()[0]
    assert (label, score) == (page.texts(".class-name")[0], page.texts(".class-score")[0])


@pytest.mark.parametrize(
    ("name", "kind"), [("agreement-cut-short.pdf", "unreadable"), ("form-with-password.pdf", "encrypted")]
)
def test_a_file_that_cannot_be_read_is_shown_with_the_reason(
    page: ReadingPage, endpoint: Endpoint, samples_directory: Path, name: str, kind: str
) -> None:
    page.read(samples_directory / name)
    refusal = answer_of(endpoint, samples_directory / name)
    assert refusal["error_kind"] == kind
    assert page.one("#problem").get_attribute("role") == "alert"
    assert name in page.text("#problem h2") and refusal["error"] in page.text("#problem")
    assert page.focused().get_attribute("id") == "problem"
    assert page.one("#drop").is_displayed()


def test_after_a_bad_file_the_next_one_is_read(page: ReadingPage, samples_directory: Path, invoice: Path) -> None:
    page.read(samples_directory / "form-with-password.pdf")
    page.choose(invoice)
    page.wait(lambda: page.all("svg.overlay .mark"))
    assert not page.one("#problem").is_displayed()


def test_a_page_that_fails_among_others_says_so_at_its_position(page: ReadingPage, tmp_path: Path) -> None:
    [file] = [file for file in broken_pdf_files() if file.name == "page-missing.pdf"]
    document = tmp_path / file.name
    document.write_bytes(file.make())
    page.read(document)
    assert [
        bool(card)
        for card in page.run(
            "return [...document.querySelectorAll('article.page')].map((card) => card.querySelector('.failed'))"
        )
    ] == [False, True, False]
    assert page.text(".failed-words h3") == "Page 2 could not be read"
    assert len(page.text(".failed-words p")) > 10
    assert page.all(".thumbnail")[1].get_attribute("aria-label") == "Page 2, not read"


def test_reading_can_be_cancelled_and_the_rest_read_later(page: ReadingPage, tmp_path: Path) -> None:
    count = 20
    page.one("#page-ranges").send_keys(f"1-{count}")
    page.choose(draw_register(tmp_path, count + 1))
    page.wait(lambda: page.all("article.page"))
    assert f"of {count}" in page.text("#progress-words")
    page.one("#cancel").click()
    page.wait_until_read()
    read = len(page.all("article.page"))
    assert 0 < read < count and f"Stopped after {read} of {count} pages" in page.text("#file-facts")
    page.one("#rest").click()
    page.wait_until_read()
    numbers = page.run("return [...document.querySelectorAll('article.page')].map((card) => Number(card.dataset.page))")
    assert numbers == list(range(count))


def test_of_a_long_document_only_what_is_near_the_window_is_drawn(page: ReadingPage, tmp_path: Path) -> None:
    count = 36
    page.read(draw_register(tmp_path, count))
    assert len(page.all("article.page")) == len(page.all(".thumbnail")) == count
    assert 0 < len(page.all("svg.overlay")) < 12
    assert 0 < len(page.all(".thumbnail img")) < 30
    page.run("document.querySelectorAll('.thumbnail')[29].click()")
    page.wait(lambda: page.all(".thumbnail[aria-current]")[0].get_attribute("data-page") == "29")
    assert page.is_in_view("article[data-page='29']") and page.all("article[data-page='29'] svg.overlay")
    page.wait(lambda: len(page.all("svg.overlay")) < 12)
    assert not page.all("article[data-page='0'] svg.overlay")


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_text_stands_out_from_its_background(page: ReadingPage, endpoint: Endpoint, form: Path, dark: bool) -> None:
    set_screen(page.chrome, 1280, 900, dark=dark)
    page.visit(endpoint.key)
    page.wait(lambda: page.one("#options").is_displayed())
    ratios = {selector: page.contrast(selector) for selector in (".lead", "#limits", "label.button", ".options label")}
    page.read(form, pages="1")
    for selector in ("#file-facts", ".count", "td.column-text button", "th button", "#ask-hint", "#ask button", "#csv"):
        ratios[selector] = page.contrast(selector)
    page.run("document.querySelector('#page-ranges').value = '7'")
    page.choose(form)
    page.wait(lambda: page.one("#problem").is_displayed())
    ratios |= {selector: page.contrast(selector) for selector in ("#problem h2", "#problem p")}
    assert {selector: ratio for selector, ratio in ratios.items() if ratio < 4.5} == {}


def test_on_a_narrow_screen_nothing_needs_scrolling_sideways(page: ReadingPage, form: Path) -> None:
    set_screen(page.chrome, 360, 740)
    assert page.overflow() == 0
    page.read(form, pages="1-2")
    assert page.overflow() == 0 and page.one("#pages").is_displayed()
    page.one("#show-results").click()
    page.ask("What is the company?")
    assert page.overflow() == 0 and page.one("#table").is_displayed() and not page.one("#pages").is_displayed()
    page.hold_timers(at_least=1000)
    page.all(".go")[-1].click()
    page.wait(lambda: page.one("#pages").is_displayed() and page.all(".flash"))
    assert page.overflow() == 0


def test_a_document_can_be_read_and_asked_without_a_pointer(page: ReadingPage, form: Path) -> None:
    page.run("document.activeElement.blur(); window.scrollTo(0, 0)")
    for _ in range(10):
        page.press(Keys.TAB)
        if page.focused().get_attribute("id") == "file":
            break
    outline = "return getComputedStyle(document.querySelector('label.button')).outlineStyle"
    assert page.focused().get_attribute("id") == "file" and page.run(outline) == "solid"
    page.focused().send_keys(str(form))
    page.wait_until_read()
    reached = []
    while "question-lines" not in reached and len(reached) < 40:
        page.press(Keys.TAB)
        reached.append(page.focused().get_attribute("id") or page.focused().get_attribute("class"))
    assert "another" in reached and "thumbnail" in reached
    assert sum("entity" in name for name in reached) <= 3, "one stop a page; the arrow keys go on from there"
    page.press("Who?")
    page.press_together(Keys.CONTROL, Keys.ENTER)
    page.wait(lambda: len(page.all("#answers > li")) == 1)
    page.wait_until_read()
    assert "1 question" in page.texts("#announcer")[0]


def test_nothing_comes_from_another_host(page: ReadingPage, endpoint: Endpoint, form: Path) -> None:
    page.read(form, pages="1")
    addresses = page.run("return performance.getEntriesByType('resource').map(({name}) => name)")
    assert len(addresses) > 10
    assert [address for address in addresses if not address.startswith((endpoint.url, "blob:", "data:"))] == []


def test_the_text_of_a_document_is_never_markup(page: ReadingPage, tmp_path: Path) -> None:
    document = draw(tmp_path, f"{MARKUP}.pdf", f"Name: {MARKUP} {MARKUP}")
    page.read(document)
    assert page.text("#file-name") == document.name
    words = page.run("return document.querySelector('.words').getAttribute('d')")
    assert words.count("M") == 1 + 2 * len(MARKUP.split())
    page.ask(MARKUP)
    assert page.texts(".question span:last-child") == [MARKUP]
    assert not page.all("img[src='x']")


def test_the_table_is_saved_as_csv_and_the_answer_as_json(
    page: ReadingPage, chrome: Chrome, form: Path, tmp_path: Path
) -> None:
    chrome.execute_cdp_cmd("Browser.setDownloadBehavior", {"behavior": "allow", "downloadPath": str(tmp_path)})
    page.read(form, pages="1-2")
    page.one("#csv").click()
    page.one("#json").click()
    table, answer = tmp_path / "supplier-form.csv", tmp_path / "supplier-form.json"
    page.wait(lambda: table.exists() and answer.exists())
    with table.open(encoding="utf-8-sig", newline="") as file:
        saved = list(csv.DictReader(file))
    assert [[row["label"], row["page"]] for row in saved] == [[row[0], row[3]] for row in page.rows()]
    pages = json.loads(answer.read_text())["pages"]
    assert [entity["text"] for found in pages for entity in found["entities"]] == [row[1] for row in page.rows()]
    assert all("preview" not in found for found in pages)


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "  =1", "\uff1d1"])
def test_in_a_spreadsheet_a_documents_text_is_not_a_formula(any_page: ReadingPage, text: str) -> None:
    script = (
        "const [text, done] = arguments;"
        "const row = {page: 0, label: 'ANSWER', text, score: 0.5, box: [1, 2, 3, 4]};"
        "import('/web/export.js').then(({csv}) => done(csv([row])))"
    )
    written = any_page.chrome.execute_async_script(script, text)
    [row] = csv.DictReader(written.removeprefix("\ufeff").splitlines())
    assert row["text"] == f"'{text}"
    assert (row["page"], row["score"], row["x0"]) == ("1", "0.5000", "1")


def test_a_document_that_is_dropped_is_read(page: ReadingPage, invoice: Path) -> None:
    page.drag(invoice, "dragEnter", "dragOver")
    page.wait(lambda: page.one("#dropping").is_displayed())
    page.drag(invoice, "drop")
    page.wait_until_read()
    assert page.rows() and not page.one("#dropping").is_displayed()


def test_a_picture_that_is_pasted_is_read(page: ReadingPage, invoice: Path) -> None:
    page.paste(invoice)
    page.wait_until_read()
    assert page.rows()


def test_the_table_is_copied_in_a_form_for_spreadsheets(page: ReadingPage, form: Path) -> None:
    page.read(form, pages="1-2")
    page.one("#copy").click()
    page.wait(lambda: page.text("#copy") == "Copied")
    copied = list(csv.DictReader(page.clipboard().splitlines(), delimiter="\t"))
    assert [[row["label"], row["text"], row["page"]] for row in copied] == [
        [label, text, number] for label, text, _, number in page.rows()
    ]


def test_a_key_is_asked_for_and_kept_in_this_tab_only(
    locked_page: ReadingPage, endpoint: Endpoint, tmp_path: Path
) -> None:
    page = locked_page
    page.wait(lambda: page.one("#key-dialog").is_displayed())
    page.press("not-the-key", Keys.ENTER)
    page.wait(lambda: page.one("#key-wrong").is_displayed())
    assert endpoint.key is not None
    page.press(endpoint.key, Keys.ENTER)
    page.wait(lambda: page.one("#options").is_displayed())
    assert not page.one("#key-dialog").is_displayed()
    page.read(draw(tmp_path, "deed.pdf", "A deed between the parties"))
    assert page.all("article.page")
    assert page.run("return [localStorage.length, document.cookie]") == [0, ""]


def test_without_a_key_the_page_says_that_one_is_needed(locked_page: ReadingPage) -> None:
    page = locked_page
    page.wait(lambda: page.one("#key-dialog").is_displayed())
    page.one("#key-cancel").click()
    page.wait(lambda: page.one("#problem").is_displayed())
    assert page.text("#problem h2") == "A key is needed"
    page.one("#problem button").click()
    page.wait(lambda: page.one("#key-dialog").is_displayed())
