"""The web page of the endpoint, as a person uses it."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from selenium.common.exceptions import StaleElementReferenceException
from selenium.webdriver import ActionChains, Chrome
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.ui import Select, WebDriverWait

WAIT_SECONDS, POLL_SECONDS = 60.0, 0.1

Seen = TypeVar("Seen")


@dataclass(frozen=True)
class ReadingPage:
    """The page in a browser."""

    chrome: Chrome
    url: str

    def visit(self, key: str | None) -> None:
        """Open the page in a tab that knows this key, or none."""
        if not self.is_open():
            self.chrome.get(self.url)
        self.run("sessionStorage.clear()")
        if key is not None:
            self.run("sessionStorage.setItem('layoutlmv2-api-key', arguments[0])", key)
        self.chrome.get(self.url)

    def is_open(self) -> bool:
        """Whether the browser shows the page, in whatever state."""
        return self.chrome.current_url.startswith(self.url)

    def all(self, selector: str) -> list[WebElement]:
        return self.chrome.find_elements(By.CSS_SELECTOR, selector)

    def one(self, selector: str) -> WebElement:
        return self.chrome.find_element(By.CSS_SELECTOR, selector)

    def text(self, selector: str) -> str:
        """The text that is visible there."""
        return self.one(selector).text

    def texts(self, selector: str) -> list[str]:
        """The texts of all matches, visible or not."""
        return self.run("return [...document.querySelectorAll(arguments[0])].map((node) => node.textContent)", selector)

    def run(self, script: str, *arguments: Any) -> Any:
        """What a script in the page returns."""
        return self.chrome.execute_script(script, *arguments)

    def wait(self, seen: Callable[[], Seen]) -> Seen:
        """Wait until `seen` returns something true, and return that."""
        ignored = (StaleElementReferenceException,)
        return WebDriverWait(self.chrome, WAIT_SECONDS, POLL_SECONDS, ignored).until(lambda _: seen())

    def choose(self, document: Path) -> None:
        """Choose a file, as the file dialog would."""
        self.one("#file").send_keys(str(document))

    def drag(self, document: Path, *steps: str) -> None:
        """Drag a file over the middle of the page: "dragEnter", "dragOver", "drop" or "dragCancel"."""
        files = {"items": [], "files": [str(document)], "dragOperationsMask": 1}
        for step in steps:
            self.chrome.execute_cdp_cmd("Input.dispatchDragEvent", {"type": step, "x": 400, "y": 300, "data": files})

    def paste(self, picture: Path) -> None:
        """Put a PNG on the clipboard, as a screenshot would be, and paste it."""
        self._allow_clipboard()
        script = (
            "const [encoded, done] = arguments;"
            "const blob = new Blob([Uint8Array.from(atob(encoded), (one) => one.charCodeAt(0))], {type: 'image/png'});"
            "navigator.clipboard.write([new ClipboardItem({'image/png': blob})]).then(done, done)"
        )
        assert self.chrome.execute_async_script(script, base64.b64encode(picture.read_bytes()).decode()) is None
        self.press_together(Keys.CONTROL, "v")

    def clipboard(self) -> str:
        """The text on the clipboard."""
        self._allow_clipboard()
        return self.chrome.execute_async_script("navigator.clipboard.readText().then(arguments[0], arguments[0])")

    def _allow_clipboard(self) -> None:
        allowed = {"origin": self.url, "permissions": ["clipboardReadWrite", "clipboardSanitizedWrite"]}
        self.chrome.execute_cdp_cmd("Browser.grantPermissions", allowed)

    def read(self, document: Path, model: str | None = None, pages: str = "", view: str = "entities") -> None:
        """Choose a file, with these options, wait until it has been read, and switch to "entities" or "fields"."""
        self.wait(lambda: self.one("#page-ranges").is_displayed())
        if model is not None:
            Select(self.one("#model")).select_by_value(model)
        self.one("#page-ranges").clear()
        self.one("#page-ranges").send_keys(pages)
        self.choose(document)
        self.wait_until_read()
        if self.one("#views").is_displayed():
            self.one(f"#show-{view}").click()

    def wait_until_read(self) -> None:
        """Wait until nothing is being read, and a page or a problem is shown."""
        done = "#progress[hidden] ~ *"
        shown = "article.page, #problem:not([hidden])"
        self.wait(lambda: bool(self.all(done)) and bool(self.all(shown)))

    def ask(self, *questions: str) -> None:
        """Ask and wait for the answers."""
        box = self.one("#question-lines")
        box.clear()
        box.send_keys("\n".join(questions))
        self.one("#ask button").click()
        self.wait_until_read()

    def rows(self) -> list[list[str]]:
        """The cells of the table of findings: label, text, score, page; of fields: key, value, score, page."""
        script = (
            "return [...document.querySelectorAll('#table tbody tr')].map("
            "(row) => [...row.cells].map((cell) => cell.textContent))"
        )
        return self.run(script)

    def answer(self, *lines: dict[str, Any]) -> None:
        """Until the page is loaded again, have these lines stand for the endpoint's answer."""
        body = "".join(f"{json.dumps(line)}\n" for line in lines)
        self.run(
            "const [body, ask] = [arguments[0], window.fetch];"
            "window.fetch = (address, options) =>"
            " address === 'v1/extract' ? Promise.resolve(new Response(body)) : ask(address, options)",
            body,
        )

    def hold_timers(self, at_least: int) -> None:
        """Until the page is loaded again or `release_timers`, have timers of so many milliseconds and more wait."""
        self.run(
            "const [start, least] = [window.setTimeout, arguments[0]];"
            "window.held = [];"
            "window.setTimeout = (call, wait, ...given) =>"
            " wait >= least ? window.held.push([call, wait]) : start(call, wait, ...given);"
            "window.release = () => { window.setTimeout = start; return window.held; }",
            at_least,
        )

    def release_timers(self) -> list[int]:
        """Have the timers that wait go off; returns their milliseconds."""
        return self.run("return window.release().map(([call, wait]) => { call(); return wait; })")

    def hover(self, element: WebElement) -> None:
        ActionChains(self.chrome).move_to_element(element).perform()

    def focused(self) -> WebElement:
        return self.chrome.switch_to.active_element

    def press(self, *keys: str) -> None:
        """Press keys in whatever has the focus."""
        ActionChains(self.chrome).send_keys(*keys).perform()

    def press_together(self, held: str, key: str) -> None:
        """Press a key while another is held down."""
        ActionChains(self.chrome).key_down(held).send_keys(key).key_up(held).perform()

    def is_in_view(self, selector: str) -> bool:
        script = (
            "const {top, bottom} = document.querySelector(arguments[0]).getBoundingClientRect();"
            "return bottom > 0 && top < innerHeight"
        )
        return self.run(script, selector)

    def overflow(self) -> int:
        """Pixels by which the page is wider than its window."""
        return self.run("return document.documentElement.scrollWidth - document.documentElement.clientWidth")

    def contrast(self, selector: str) -> float:
        """Contrast ratio of an element's text and its background, by WCAG 2."""
        return self.run(CONTRAST, self.one(selector))


CONTRAST = """
const channels = (color) => color.match(/[\\d.]+/g).map(Number);
const light = ([red, green, blue]) => {
  const [r, g, b] = [red, green, blue].map((part) => {
    const share = part / 255;
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};
let behind = arguments[0];
const opaque = (node) => (channels(getComputedStyle(node).backgroundColor)[3] ?? 1) === 1;
while (!opaque(behind) && behind.parentElement) behind = behind.parentElement;
const text = light(channels(getComputedStyle(arguments[0]).color));
const ground = light(channels(getComputedStyle(behind).backgroundColor));
return (Math.max(text, ground) + 0.05) / (Math.min(text, ground) + 0.05);
"""
