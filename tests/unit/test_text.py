"""Names that are safe to show, durations, counts."""

from __future__ import annotations

import pytest

from wd14.text import LONGEST_LINE, count, duration, listed, printable, readable, share


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("photo 1.png", "photo 1.png"),
        ("фото_猫.png", "фото_猫.png"),
        ("\x1b[31mred\x07.png", "\\x1b[31mred\\x07.png"),
        ("a\nb\r.png", "a\\nb\\r.png"),
        ("gpj.\u202eexe", "gpj.\\u202eexe"),
        ("\udcff.png", "\\udcff.png"),
        ("a\u2028b\u2029", "a\\u2028b\\u2029"),
        ("\x9b31m", "\\x9b31m"),
        ('it\'s "so"\t\\.png', 'it\'s "so"\\t\\.png'),
    ],
)
def test_nothing_in_a_name_reaches_the_terminal_as_a_command(text: str, shown: str) -> None:
    assert printable(text) == shown


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (0.24, "0.2 s"),
        (9.96, "10 s"),
        (59.4, "59 s"),
        (59.6, "1 min 00 s"),
        (185, "3 min 05 s"),
        (3600, "1 h 00 min"),
        (7800, "2 h 10 min"),
    ],
)
def test_durations_read_well(seconds: float, shown: str) -> None:
    assert duration(seconds) == shown


def test_counts_read_well() -> None:
    assert [count(n, "picture") for n in (0, 1, 12000)] == ["0 pictures", "1 picture", "12,000 pictures"]


def test_a_share_of_a_count() -> None:
    assert (share(1, 1, "picture"), share(1498, 1500, "picture")) == ("1 of 1 picture", "1,498 of 1,500 pictures")


def test_a_line_of_a_megabyte_keeps_its_beginning_and_its_end() -> None:
    shown = readable(f"'{'x' * 1_000_000}' cannot be read: File name too long\x1b")
    assert len(shown) < LONGEST_LINE + 20
    assert shown.startswith("'xxx")
    assert shown.endswith("cannot be read: File name too long\\x1b")


def test_a_list_names_the_first_and_counts_the_others() -> None:
    assert [listed(names, 2) for names in (["a"], ["a", "b"], ["a", "b", "c"])] == ["a", "a, b", "a, b and 1 more"]
