"""Options and isolation of the whole suite, and the counts that it prints at its end."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support import tally


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--long", action="store_true", help="more rounds of fuzzing and fault injection")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
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
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """No test reads or writes the user's own stored scores, whatever it does with its `monkeypatch`."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WD14_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield
