"""Real browsers without a window, behind one interface: Chromium and Firefox, as Debian ships them.

    with launch("firefox", folder) as browser, browser.person() as tab:
        tab.open(page)
        tab.click("#save")

Tests use the fixtures `tab` (in both) and `chromium_tab`. Nothing is downloaded: Chromium is spoken to by its DevTools
protocol, Firefox by WebDriver BiDi.
"""

from __future__ import annotations

import base64
import json
import shutil
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from subprocess import DEVNULL, Popen, TimeoutExpired
from typing import Any, Literal

#: Which program each browser is, and which package of Debian and Ubuntu has it.
PROGRAMS = {"chromium": ("chromium", "chromium"), "firefox": ("firefox-esr", "firefox-esr")}

Modifier = Literal["Control", "Shift", "Alt"]

#: Runs before every page's own scripts: what a Content Security Policy refuses stays to be read.
WATCH = """window.__refused = [];
document.addEventListener("securitypolicyviolation", (event) =>
    window.__refused.push(`${event.effectiveDirective} ${event.blockedURI} ${event.sample}`));"""

#: Scrolls an element into view and gives its middle, which has to be where a person could hit it.
_MIDDLE = """(() => {
    const found = [...document.querySelectorAll(SELECTOR)].filter((each) => each.getClientRects().length);
    if (!found.length) return "is not there, or not shown";
    const element = found[0];
    element.scrollIntoView({block: "center", inline: "center", behavior: "instant"});
    const box = element.getBoundingClientRect();
    const x = box.x + box.width / 2, y = box.y + box.height / 2;
    const hit = document.elementFromPoint(x, y);
    const label = hit && hit.closest("label");
    if (hit && (element.contains(hit) || hit.contains(element) || (label && label.control === element))) return [x, y];
    return "is covered by " + (hit ? hit.outerHTML.slice(0, 200) : "nothing: it is outside of the window");
})()"""

_FILL = """(() => {
    const element = document.querySelector(SELECTOR);
    if (!element) return false;
    const kind = element instanceof HTMLTextAreaElement ? HTMLTextAreaElement
        : element instanceof HTMLSelectElement ? HTMLSelectElement : HTMLInputElement;
    Object.getOwnPropertyDescriptor(kind.prototype, "value").set.call(element, VALUE);
    element.dispatchEvent(new Event("input", {bubbles: true}));
    element.dispatchEvent(new Event("change", {bubbles: true}));
    return true;
})()"""


class Missing(Exception):
    """This machine does not have the browser."""


@dataclass
class Heard:
    """What a tab said of itself since it was opened."""

    errors: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    dialogs: list[str] = field(default_factory=list)


class Tab(ABC):
    """A page in a browser. Its methods wait until the browser has done what they ask for."""

    def __init__(self, browser: Browser) -> None:
        self.browser = browser
        self.heard = Heard()
        #: All of the same person.
        self.tabs: list[Tab] = []

    # What differs from browser to browser.

    @abstractmethod
    def _another(self) -> Tab: ...

    @abstractmethod
    def _go(self, address: str) -> None: ...

    @abstractmethod
    def reload(self) -> None:
        """Loads the page again; a question whether to leave it is answered with yes (`dialogs`)."""

    @abstractmethod
    def _evaluate(self, expression: str) -> str: ...

    @abstractmethod
    def _mouse(self, x: float, y: float, modifiers: list[Modifier], clicks: int) -> None: ...

    @abstractmethod
    def press(self, keys: str) -> None:
        """Presses keys as a keyboard does: `a`, `Enter`, `ArrowDown`, `Control+Shift+z`."""

    @abstractmethod
    def set_viewport(self, width: int, height: int) -> None: ...

    @abstractmethod
    def set_dark(self, dark: bool) -> None:
        """The colours that the person prefers."""

    @abstractmethod
    def set_offline(self, offline: bool) -> None: ...

    @abstractmethod
    def _picture(self) -> str: ...

    @abstractmethod
    def to_front(self) -> None:
        """Makes it the tab that the person looks at: others get no frames to draw."""

    @abstractmethod
    def close(self) -> None:
        """Closes the tab, without asking its page."""

    # What does not.

    def another(self) -> Tab:
        """A second tab of the same person: it shares what the first one stored."""
        tab = self._another()
        tab.tabs = self.tabs
        self.tabs.append(tab)
        return tab

    def open(self, page: Path | str) -> None:
        """Opens a file or an address, and waits until it is loaded."""
        self._go(page.as_uri() if isinstance(page, Path) else page)

    def js(self, expression: str) -> Any:
        """The value of an expression, or of the promise that it gives; the page's own policy does not matter to it."""
        told = self._evaluate(f"(async () => JSON.stringify((await ({expression})) ?? null))()")
        return json.loads(told)

    def run(self, script: str) -> None:
        """Runs statements."""
        self._evaluate(f"{script}\n;'null'")

    def wait_until(self, expression: str, timeout: float = 20) -> Any:
        """Waits until an expression is true, and gives its value."""
        end = time.monotonic() + timeout
        while not (value := self.js(expression)):
            if time.monotonic() > end:
                raise TimeoutError(f"still not true after {timeout:g} s: {expression}; errors: {self.heard.errors}")
            time.sleep(0.02)
        return value

    def click(self, selector: str, *modifiers: Modifier, clicks: int = 1, timeout: float = 10) -> None:
        """Clicks the middle of the first element that the selector finds, once it is shown and not covered."""
        end = time.monotonic() + timeout
        while isinstance(where := self.js(_MIDDLE.replace("SELECTOR", json.dumps(selector))), str):
            if time.monotonic() > end:
                raise TimeoutError(f"{selector} cannot be clicked: it {where}")
            time.sleep(0.05)
        self._mouse(where[0], where[1], list(modifiers), clicks)

    def type(self, text: str) -> None:
        """Types text, key by key, where the focus is."""
        for character in text:
            self.press(character)

    def fill(self, selector: str, value: str) -> None:
        """Sets the value of an input as a person's drag or paste would."""
        script = _FILL.replace("SELECTOR", json.dumps(selector)).replace("VALUE", json.dumps(value))
        if not self.js(script):
            raise LookupError(f"{selector} is not there")

    def text(self, selector: str) -> list[str]:
        """What the elements that the selector finds say."""
        texts: list[str] = self.js(f"[...document.querySelectorAll({json.dumps(selector)})].map((e) => e.textContent)")
        return texts

    def screenshot(self, file: Path) -> None:
        """Writes what the window shows, as PNG."""
        self.to_front()
        file.write_bytes(base64.b64decode(self._picture()))

    def console_errors(self) -> list[str]:
        """Errors and warnings of the console, uncaught exceptions, and what a Content Security Policy refused."""
        refused: list[str] = self.js("window.__refused || []")
        return [*self.heard.errors, *refused]

    def requests(self) -> list[str]:
        """The addresses that the page asked for, its own first; `data:` and `blob:` are none."""
        return [each for each in self.heard.requests if not each.startswith(("data:", "blob:"))]

    def dialogs(self) -> list[str]:
        """The kinds of the questions that the page had the browser ask: `beforeunload`, `confirm`, ..."""
        return self.heard.dialogs

    def download(self, timeout: float = 10) -> Path:
        """The file that was downloaded, once it is whole, in a folder of its own: the next one may have its name."""
        folder = self.browser.downloads
        end = time.monotonic() + timeout
        while not (files := list(folder.iterdir())) or not all(_is_whole(file) for file in files):
            if time.monotonic() > end:
                raise TimeoutError(f"nothing was downloaded within {timeout:g} s")
            time.sleep(0.05)
        [file] = files
        own = Path(tempfile.mkdtemp(dir=folder.parent))
        return file.rename(own / file.name)


def _is_whole(file: Path) -> bool:
    return file.suffix not in (".crdownload", ".part", ".tmp") and file.stat().st_size > 0


class Browser(ABC):
    """A running browser.

    Args:
        folder: for its profile and its downloads; must be empty.
    """

    name: str

    def __init__(self, folder: Path) -> None:
        self.downloads = folder / "downloads"
        self.downloads.mkdir()
        self.profile = folder / "profile"
        self.profile.mkdir()

    @abstractmethod
    def _new_person(self) -> Tab: ...

    @contextmanager
    def person(self) -> Iterator[Tab]:
        """A tab of a new person, for whom nothing is stored yet; in the end all their tabs are closed."""
        first = self._new_person()
        first.tabs.append(first)
        try:
            yield first
        finally:
            for tab in first.tabs:
                tab.close()
            for left in self.downloads.iterdir():
                left.unlink()

    @abstractmethod
    def close(self) -> None: ...


def program(name: str) -> str:
    """Where a browser's program is.

    Raises:
        Missing: it is not there; says how to get it.
    """
    command, package = PROGRAMS[name]
    found = shutil.which(command)
    if found is None:
        raise Missing(f"{command} is not installed: apt-get install {package}")
    return found


@contextmanager
def running(words: list[str], announcement: Path) -> Iterator[str]:
    """A browser's process; gives what it wrote into the file that says how to reach it."""
    process = Popen(words, stdin=DEVNULL, stdout=DEVNULL, stderr=DEVNULL)
    try:
        end = time.monotonic() + 60
        while not (announcement.exists() and (said := announcement.read_text()).strip()):
            if process.poll() is not None or time.monotonic() > end:
                raise Missing(f"{words[0]} does not start (exit code {process.poll()})")
            time.sleep(0.05)
        yield said
    finally:
        process.terminate()
        with suppress(TimeoutExpired):
            process.wait(15)
        process.kill()
        process.wait()


@contextmanager
def launch(name: str, folder: Path) -> Iterator[Browser]:
    """The browser of that name, with a profile and downloads of its own in an empty folder.

    Raises:
        Missing: this machine does not have it.
    """
    from tests.support.chromium import launch_chromium
    from tests.support.firefox import launch_firefox

    start = {"chromium": launch_chromium, "firefox": launch_firefox}[name]
    with start(folder) as browser:
        yield browser
