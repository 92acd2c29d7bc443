"""Chromium without a window, driven by its DevTools protocol."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from tests.support.browser import WATCH, Browser, Modifier, Tab, program, running
from tests.support.wire import Wire, WireError

_OPTIONS = (
    *("--headless=new", "--disable-gpu", "--no-first-run", "--no-default-browser-check", "--disable-quic"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-extensions"),
    *("--disable-dev-shm-usage", "--remote-debugging-port=0", "--hide-scrollbars", "--force-color-profile=srgb"),
    *("--password-store=basic", "--disable-features=Translate,OptimizationHints,MediaRouter"),
)
_MODIFIERS = {"Alt": 1, "Control": 2, "Meta": 4, "Shift": 8}
#: Windows' numbers of the keys that have no character of their own, and the text that some of them write.
_KEYS = {
    "Backspace": (8, ""),
    "Tab": (9, ""),
    "Enter": (13, "\r"),
    "Shift": (16, ""),
    "Control": (17, ""),
    "Alt": (18, ""),
    "Escape": (27, ""),
    "PageUp": (33, ""),
    "PageDown": (34, ""),
    "End": (35, ""),
    "Home": (36, ""),
    "ArrowLeft": (37, ""),
    "ArrowUp": (38, ""),
    "ArrowRight": (39, ""),
    "ArrowDown": (40, ""),
    "Delete": (46, ""),
    **{f"F{number}": (111 + number, "") for number in range(1, 13)},
}


def _key(key: str) -> dict[str, Any]:
    """The fields of a key event."""
    if key in _KEYS:
        number, text = _KEYS[key]
        return {"key": key, "code": key, "windowsVirtualKeyCode": number, **({"text": text} if text else {})}
    code = f"Key{key.upper()}" if key.isascii() and key.isalpha() else f"Digit{key}" if key.isdigit() else ""
    code = "Space" if key == " " else code
    number = ord(key.upper()) if (key.isascii() and key.isalnum()) or key == " " else 0
    return {"key": key, "code": code, "windowsVirtualKeyCode": number, "text": key}


class ChromiumTab(Tab):
    """A tab of Chromium's."""

    def __init__(self, browser: Chromium, person: str) -> None:
        super().__init__(browser)
        self._wire = browser.wire
        self._person = person
        made = self._wire.call("Target.createTarget", {"url": "about:blank", "browserContextId": person})
        self._target = made["targetId"]
        attached = self._wire.call("Target.attachToTarget", {"targetId": self._target, "flatten": True})
        self._session: str = attached["sessionId"]
        self._loads = 0
        browser.tabs[self._session] = self
        for domain in ("Page", "Runtime", "Log", "Network"):
            self._call(f"{domain}.enable")
        self._call("Page.addScriptToEvaluateOnNewDocument", source=WATCH)
        # A window in the background gets no frames and no focus; every tab is in front.
        self._call("Emulation.setFocusEmulationEnabled", enabled=True)

    def _call(self, method: str, **params: Any) -> dict[str, Any]:
        return self._wire.call(method, params, sessionId=self._session)

    def hear(self, method: str, params: dict[str, Any]) -> None:
        """Takes an event."""
        heard = self.heard
        if method == "Runtime.exceptionThrown":
            details = params["exceptionDetails"]
            heard.errors.append(details.get("exception", {}).get("description") or details["text"])
        elif method == "Runtime.consoleAPICalled" and params["type"] in ("error", "warning", "assert"):
            heard.errors.append(" ".join(str(each.get("value", each.get("description"))) for each in params["args"]))
        elif method == "Log.entryAdded" and params["entry"]["level"] in ("error", "warning"):
            heard.errors.append(f"{params['entry']['text']} {params['entry'].get('url', '')}".strip())
        elif method == "Network.requestWillBeSent":
            heard.requests.append(params["request"]["url"])
        elif method == "Page.loadEventFired":
            self._loads += 1
        elif method == "Page.javascriptDialogOpening":
            heard.dialogs.append(params["type"])
            self._wire.send("Page.handleJavaScriptDialog", {"accept": True}, sessionId=self._session)

    def _another(self) -> ChromiumTab:
        assert isinstance(self.browser, Chromium)
        return ChromiumTab(self.browser, self._person)

    def _go(self, address: str) -> None:
        done = self._call("Page.navigate", url=address)
        if "errorText" in done:
            raise WireError(f"{address}: {done['errorText']}")
        self.wait_until("document.readyState === 'complete'")

    def reload(self) -> None:
        self.js("window.__before = true")
        self._call("Page.reload")
        with suppress(WireError):  # the page that goes away may be asked while it does
            self.wait_until("!window.__before")
        self.wait_until("!window.__before && document.readyState === 'complete'")

    def _evaluate(self, expression: str) -> str:
        done = self._call("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        if "exceptionDetails" in done:
            details = done["exceptionDetails"]
            raise WireError(details.get("exception", {}).get("description") or details["text"])
        return str(done["result"]["value"])

    def _mouse(self, x: float, y: float, modifiers: list[Modifier], clicks: int) -> None:
        held = sum(_MODIFIERS[each] for each in modifiers)
        self._call("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y, modifiers=held)
        for count in range(1, clicks + 1):
            for kind in ("mousePressed", "mouseReleased"):
                more = {"button": "left", "clickCount": count, "modifiers": held}
                self._call("Input.dispatchMouseEvent", type=kind, x=x, y=y, **more)

    def press(self, keys: str) -> None:
        *modifiers, key = [keys] if keys == "+" else keys.split("+") if len(keys) > 1 else [keys]
        held = sum(_MODIFIERS[each] for each in modifiers)
        fields = _key(key)
        if "Control" in modifiers or "Alt" in modifiers:
            fields.pop("text", None)
        self._call("Input.dispatchKeyEvent", type="keyDown", modifiers=held, **fields)
        fields.pop("text", None)
        self._call("Input.dispatchKeyEvent", type="keyUp", modifiers=held, **fields)

    def set_viewport(self, width: int, height: int) -> None:
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self._call("Emulation.setDeviceMetricsOverride", **size)

    def set_dark(self, dark: bool) -> None:
        preferred = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self._call("Emulation.setEmulatedMedia", features=[preferred])

    def set_offline(self, offline: bool) -> None:
        speed = {"latency": 0, "downloadThroughput": -1, "uploadThroughput": -1}
        self._call("Network.emulateNetworkConditions", offline=offline, **speed)

    def _picture(self) -> str:
        return str(self._call("Page.captureScreenshot", format="png")["data"])

    def to_front(self) -> None:
        self._call("Page.bringToFront")

    def close(self) -> None:
        with suppress(WireError):
            self._wire.call("Target.closeTarget", {"targetId": self._target})


class Chromium(Browser):
    """A running Chromium."""

    name = "chromium"
    wire: Wire

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.tabs: dict[str, ChromiumTab] = {}

    def hear(self, event: dict[str, Any]) -> None:
        """Hands an event to its tab."""
        tab = self.tabs.get(event.get("sessionId", ""))
        if tab is not None:
            tab.hear(event["method"], event["params"])

    def _new_person(self) -> ChromiumTab:
        person = self.wire.call("Target.createBrowserContext")["browserContextId"]
        where = {"behavior": "allow", "browserContextId": person, "downloadPath": str(self.downloads)}
        self.wire.call("Browser.setDownloadBehavior", where)
        return ChromiumTab(self, person)

    def close(self) -> None:
        self.wire.close()


@contextmanager
def launch_chromium(folder: Path) -> Iterator[Browser]:
    """Chromium with a profile of its own in an empty folder.

    Raises:
        Missing: this machine does not have it.
    """
    browser = Chromium(folder)
    # Its sandbox does not work for root, who runs the tests in a container.
    root = ["--no-sandbox"] if os.geteuid() == 0 else []
    words = [program("chromium"), *_OPTIONS, *root, f"--user-data-dir={browser.profile}", "about:blank"]
    with running(words, browser.profile / "DevToolsActivePort") as said:
        port, path = said.split()
        browser.wire = Wire(f"ws://127.0.0.1:{port}{path}", browser.hear)
        try:
            yield browser
        finally:
            browser.close()
