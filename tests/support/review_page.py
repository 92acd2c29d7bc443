"""The review page as a person sees it: what it shows, read from a tab."""

from __future__ import annotations

import shlex
from pathlib import Path

from tests.support.browser import Tab

PANELS = ("tags", "thresholds", "findings", "plan", "charts", "about")


def open_page(tab: Tab, page: Path | str) -> None:
    """Opens a page in a window large enough for some dozens of pictures, and waits until it can be used."""
    tab.set_viewport(1600, 2200)
    tab.open(page)
    wait_usable(tab)


def wait_usable(tab: Tab) -> None:
    """Waits for the page's own word that it takes input; fails at once where it cannot start."""
    usable = "performance.getEntriesByName('usable').length > 0"
    tab.wait_until(f"{usable} || document.querySelector('.page-error') || document.readyState === 'complete'")
    if not tab.js(usable):
        raise AssertionError(f"the page does not start: {tab.console_errors()}")


def show_captions(tab: Tab) -> None:
    """Has the grid show every picture small, with its caption as one text."""
    tab.fill("#size", "80")
    tab.fill("#below", "caption")
    settle(tab)


def settle(tab: Tab, pause: float = 0) -> None:
    """Waits until the page has drawn what it was told; `pause`: seconds for what it does a little later."""
    wait = f"setTimeout(() => requestAnimationFrame(() => setTimeout(done, 20)), {1000 * pause:.0f})"
    tab.js(f"new Promise((done) => {wait})")


def captions(tab: Tab) -> dict[str, str]:
    """The caption of each picture that the grid shows, by its name; rejected and failed ones have none."""
    settle(tab)
    shown: dict[str, str] = tab.js("""Object.fromEntries([...document.querySelectorAll("#grid .cell")]
        .filter((cell) => !cell.matches(".rejected, .failed"))
        .map((cell) => [cell.title, cell.querySelector(".below:not(:has(.muted))")?.textContent ?? ""]))
    """)
    return {Path(source).name: caption for source, caption in shown.items()}


def set_filter(tab: Tab, text: str) -> None:
    """Types a filter."""
    tab.click("#filter")
    tab.press("Control+a")
    tab.press("Backspace")
    tab.type(text)
    settle(tab, 0.2)


def open_panel(tab: Tab, key: str) -> None:
    """Opens one of the panels on the left, with the drawer where the window is narrow."""
    if not tab.js(f"document.querySelector('#tab-{key}').checkVisibility()"):
        tab.click("#panels-button")
    tab.click(f"#tab-{key}")
    settle(tab)


def edit(tab: Tab, operation: str, scope: str, tag: str = "", other: str = "") -> str:
    """Edits pictures by the dialog; gives what it said of their number before it was done."""
    tab.click("#edit")
    tab.click(f'input[name="edit-op"][value="{operation}"]')
    tab.click(f'input[name="edit-scope"][value="{scope}"]')
    for field, text in (("#edit-tag", tag), ("#edit-with", other)):
        if text:
            tab.click(field)
            tab.type(text)
    tab.wait_until("!document.querySelector('dialog[open] button[type=submit]').disabled")
    said: str = tab.text("dialog[open] .edit-count")[0]
    if tab.js("Boolean(document.querySelector('dialog[open] [role=listbox]:not([hidden])'))"):
        tab.press("Escape")  # closes the list of suggestions; the dialog stays
    tab.click("dialog[open] button[type=submit]")
    tab.wait_until("!document.querySelector('dialog[open]')")
    return said


def saved(tab: Tab) -> tuple[Path, list[str]]:
    """Downloads the edits; gives the file, and the words of the command that the page says to run with it."""
    tab.click("#save")
    tab.click("dialog[open] .primary")
    file = tab.download()
    command = shlex.split(tab.text("dialog[open] .command")[0])
    tab.press("Escape")
    return file, command
