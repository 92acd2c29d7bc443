"""Options and isolation of the whole suite, and the counts that it prints at its end."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.support import tally
from tests.support.browser import Browser, Missing, Tab, launch

#: What `--quick` leaves out: whole jobs, fuzzing, scripts.
NOT_QUICK = (
    *("integration/", "unit/benchmarks/", "unit/hosts/test_setup", "unit/hosts/test_main.py"),
    *("unit/images/test_fuzz.py", "unit/test_config_fuzz.py", "unit/model/test_builtin_model"),
)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--long", action="store_true", help="the attack as well: killed runs, broken files, limits")
    parser.addoption("--quick", action="store_true", help="without whole jobs and fuzzing: under a minute")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("--quick"):
        here = Path(__file__).parent
        left_out = [item for item in items if item.path.relative_to(here).as_posix().startswith(NOT_QUICK)]
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in set(left_out)]
    if config.getoption("--long"):
        return
    skip = pytest.mark.skip(reason="only with scripts/test --long")
    for item in items:
        if "long" in item.keywords:
            item.add_marker(skip)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    counts = tally.counts()
    if counts:
        terminalreporter.section("counts")
        for what, number in counts.items():
            terminalreporter.line(f"{what}: {number:,}")


@pytest.fixture(autouse=True)
def _own_signals() -> Iterator[None]:
    """Signal handlers are put back: a job that got SIGTERM ignores it to the end of its process, here pytest's."""
    numbers = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT]
    before = [signal.getsignal(number) for number in numbers]
    yield
    for number, handler in zip(numbers, before, strict=True):
        signal.signal(number, handler)


@pytest.fixture(autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """No test reads or writes the user's own stored scores, whatever it does with its `monkeypatch`."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WD14_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


def _browser(name: str, folder: Path) -> Iterator[Browser]:
    with ExitStack() as open_browsers:
        try:
            browser = open_browsers.enter_context(launch(name, folder))
        except Missing as missing:
            # A person may do without; where everything must pass, nothing is left out unnoticed.
            if os.environ.get("CI") == "true":
                pytest.fail(str(missing))
            pytest.skip(str(missing))
        yield browser


@pytest.fixture(scope="session")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """Chromium, without a window."""
    yield from _browser("chromium", tmp_path_factory.mktemp("chromium"))


@pytest.fixture(scope="session")
def firefox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """Firefox, without a window."""
    yield from _browser("firefox", tmp_path_factory.mktemp("firefox"))


@pytest.fixture(params=["chromium", "firefox"])
def tab(request: pytest.FixtureRequest) -> Iterator[Tab]:
    """An empty tab of a new person, in Chromium and then in Firefox."""
    browser: Browser = request.getfixturevalue(request.param)
    with browser.person() as tab:
        yield tab


@pytest.fixture
def chromium_tab(chromium: Browser) -> Iterator[Tab]:
    """An empty tab of a new person in Chromium, for what does not depend on the browser."""
    with chromium.person() as tab:
        yield tab
