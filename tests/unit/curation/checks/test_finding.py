"""What a person and a program see of findings."""

from __future__ import annotations

import json

from wd14.curation.checks.finding import Finding, findings_lines, numbers_in_words

MANY = tuple(f"a_folder_of_some_length/picture_{number:04}.png" for number in range(1200))
FOUND = [
    Finding("no-caption", "error", "there is no caption", "Write one.", ("a\x1b[2J.png",)),
    *(Finding("negative-left-over", "warning", f"word {number}", "Remove it. " * 20, MANY) for number in range(20)),
    Finding("rare-tags", "info", "3 tags", "No harm."),
]


def test_lines_are_short_and_name_a_few_pictures() -> None:
    lines = list(findings_lines(FOUND))
    assert max(map(len, lines)) <= 100
    assert len(lines) < 70
    text = "\n".join(lines)
    assert "1,200 pictures  word 0" in text
    assert "picture_0004.png, …" in text
    assert "picture_0005" not in text
    assert "… and 12 more of this kind" in text
    assert text.count("Remove it.") == 20  # once, not for each of the findings
    assert "\x1b" not in text


def test_the_form_for_programs_has_everything() -> None:
    read = json.loads(json.dumps([finding.as_json() for finding in FOUND]))
    assert read[1]["pictures"] == list(MANY)
    assert read[2] == {
        "rule": "negative-left-over",
        "severity": "warning",
        "reason": "word 1",
        "advice": "Remove it. " * 20,
        "pictures": list(MANY),
    }


def test_numbers_in_words() -> None:
    assert numbers_in_words(FOUND) == "1 error, 20 warnings, 1 note"
    assert numbers_in_words([]) == "nothing found"
