"""Firefox without a window, driven by WebDriver BiDi."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from tests.support.browser import WATCH, Browser, Modifier, Tab, program, running
from tests.support.wire import Wire, WireError

#: WebDriver's characters for the keys that write none.
_KEYS = {
    "Backspace": "\ue003",
    "Tab": "\ue004",
    "Enter": "\ue007",
    "Shift": "\ue008",
    "Control": "\ue009",
    "Alt": "\ue00a",
    "Escape": "\ue00c",
    "PageUp": "\ue00e",
    "PageDown": "\ue00f",
    "End": "\ue010",
    "Home": "\ue011",
    "ArrowLeft": "\ue012",
    "ArrowUp": "\ue013",
    "ArrowRight": "\ue014",
    "ArrowDown": "\ue015",
    "Delete": "\ue017",
    **{f"F{number}": chr(0xE030 + number) for number in range(1, 13)},
}
_EVENTS = ("log.entryAdded", "network.beforeRequestSent", "browsingContext.userPromptOpened")


class FirefoxTab(Tab):
    """A tab of Firefox's."""

    def __init__(self, browser: Firefox, person: str) -> None:
        super().__init__(browser)
        self._wire = browser.wire
        self._person = person
        made = self._wire.call("browsingContext.create", {"type": "tab", "userContext": person})
        self._context: str = made["context"]
        browser.tabs[self._context] = self

    def hear(self, method: str, params: dict[str, Any]) -> None:
        """Takes an event."""
        if method == "log.entryAdded" and params["level"] in ("error", "warn"):
            self.heard.errors.append(str(params["text"]))
        elif method == "network.beforeRequestSent":
            self.heard.requests.append(params["request"]["url"])
        elif method == "browsingContext.userPromptOpened":
            self.heard.dialogs.append(params["type"])

    def _call(self, method: str, **params: Any) -> dict[str, Any]:
        return self._wire.call(method, {"context": self._context, **params})

    def _another(self) -> FirefoxTab:
        assert isinstance(self.browser, Firefox)
        return FirefoxTab(self.browser, self._person)

    def _go(self, address: str) -> None:
        self._call("browsingContext.navigate", url=address, wait="complete")

    def reload(self) -> None:
        self._call("browsingContext.reload", wait="complete")

    def _evaluate(self, expression: str) -> str:
        done = self._wire.call(
            "script.evaluate",
            {
                "expression": expression,
                "target": {"context": self._context},
                "awaitPromise": True,
                "userActivation": False,
            },
        )
        if done["type"] == "exception":
            raise WireError(done["exceptionDetails"]["text"])
        return str(done["result"]["value"])

    def _act(self, *sources: dict[str, Any]) -> None:
        self._call("input.performActions", actions=list(sources))

    def _mouse(self, x: float, y: float, modifiers: list[Modifier], clicks: int) -> None:
        down, up = ([{"type": kind, "value": _KEYS[each]} for each in modifiers] for kind in ("keyDown", "keyUp"))
        click = [{"type": "pointerDown", "button": 0}, {"type": "pointerUp", "button": 0}] * clicks
        move = {"type": "pointerMove", "x": round(x), "y": round(y)}
        if modifiers:
            self._act({"type": "key", "id": "keyboard", "actions": down})
        self._act({"type": "pointer", "id": "mouse", "actions": [move, *click]})
        if modifiers:
            self._act({"type": "key", "id": "keyboard", "actions": up})

    def press(self, keys: str) -> None:
        *modifiers, key = [keys] if keys == "+" else keys.split("+") if len(keys) > 1 else [keys]
        values = [_KEYS.get(each, each) for each in (*modifiers, key)]
        down = [{"type": "keyDown", "value": each} for each in values]
        up = [{"type": "keyUp", "value": each} for each in reversed(values)]
        self._act({"type": "key", "id": "keyboard", "actions": [*down, *up]})

    def set_viewport(self, width: int, height: int) -> None:
        self._call("browsingContext.setViewport", viewport={"width": width, "height": height}, devicePixelRatio=1)

    def set_dark(self, dark: bool) -> None:
        raise NotImplementedError("BiDi has no command for it; Chromium shows the same colours")

    def set_offline(self, offline: bool) -> None:
        conditions = {"type": "offline"} if offline else None
        self._wire.call(
            "emulation.setNetworkConditions", {"networkConditions": conditions, "contexts": [self._context]}
        )

    def _picture(self) -> str:
        return str(self._call("browsingContext.captureScreenshot", origin="viewport")["data"])

    def to_front(self) -> None:
        self._call("browsingContext.activate")

    def close(self) -> None:
        with suppress(WireError):
            self._call("browsingContext.close", promptUnload=False)


class Firefox(Browser):
    """A running Firefox."""

    name = "firefox"
    wire: Wire

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.tabs: dict[str, FirefoxTab] = {}

    def hear(self, event: dict[str, Any]) -> None:
        """Hands an event to its tab."""
        params = event["params"]
        context = params.get("context") or params.get("source", {}).get("context")
        if context in self.tabs:
            self.tabs[context].hear(event["method"], params)

    def start(self) -> None:
        """Begins the session."""
        # Leaving a page that asks is allowed; the question is heard all the same.
        answers = {"default": "accept", "beforeUnload": "accept"}
        self.wire.call("session.new", {"capabilities": {"alwaysMatch": {"unhandledPromptBehavior": answers}}})
        self.wire.call("session.subscribe", {"events": list(_EVENTS)})
        self.wire.call("script.addPreloadScript", {"functionDeclaration": f"() => {{ {WATCH} }}"})

    def _new_person(self) -> FirefoxTab:
        return FirefoxTab(self, self.wire.call("browser.createUserContext")["userContext"])

    def close(self) -> None:
        self.wire.close()


def _preferences(downloads: Path) -> dict[str, bool | int | str]:
    """A profile that asks nothing of the network by itself, and downloads without asking."""
    return {
        "app.normandy.enabled": False,
        "app.update.enabled": False,
        "browser.download.dir": str(downloads),
        "browser.download.folderList": 2,
        "browser.download.alwaysOpenPanel": False,
        "browser.safebrowsing.downloads.enabled": False,
        "browser.safebrowsing.malware.enabled": False,
        "browser.safebrowsing.phishing.enabled": False,
        "browser.shell.checkDefaultBrowser": False,
        "browser.startup.page": 0,
        "datareporting.policy.dataSubmissionEnabled": False,
        "dom.disable_beforeunload": False,
        "extensions.systemAddon.update.enabled": False,
        "network.captive-portal-service.enabled": False,
        "network.connectivity-service.enabled": False,
        "services.settings.server": "data:,#remote-settings-dummy/v1",
        "toolkit.telemetry.enabled": False,
        "ui.systemUsesDarkTheme": 0,
    }


@contextmanager
def launch_firefox(folder: Path) -> Iterator[Browser]:
    """Firefox with a profile of its own in an empty folder.

    Raises:
        Missing: this machine does not have it.
    """
    browser = Firefox(folder)
    lines = [f"user_pref({json.dumps(k)}, {json.dumps(v)});" for k, v in _preferences(browser.downloads).items()]
    (browser.profile / "user.js").write_text("\n".join(lines))
    words = [program("firefox"), "--headless", "--remote-debugging-port=0", "--profile", str(browser.profile)]
    with running(words, browser.profile / "WebDriverBiDiServer.json") as said:
        browser.wire = Wire(f"ws://127.0.0.1:{json.loads(said)['ws_port']}/session", browser.hear)
        browser.start()
        try:
            yield browser
        finally:
            browser.close()
