"""The file of a dataset's edits: many pages and processes write it, and nothing is lost, half written or led astray."""

from __future__ import annotations

import json
import os
import threading
from pathlib import Path
from typing import Any

import pytest

from wd14.errors import ConfigError, OutputError
from wd14.review.edit_file import EditFile
from wd14.review.entries import Entry, entry_from

SHA = "ab" * 32


def entry(name: str, at: int = 5, rev: int = 0, *, undone: bool = False, tag: str = "smile") -> Entry:
    return Entry(name, at, {"op": "remove", "tag": tag, "rows": [SHA]}, rev, undone)


def content(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / ".wd14" / "edits.json").read_text("utf-8"))
    return found


def tags(folder: Path) -> list[str]:
    return [edit["tag"] for edit in content(folder)["edits"]]


def test_pages_that_save_at_once_lose_nothing(tmp_path: Path) -> None:
    """Two servers, and two pages of each."""
    files = [EditFile(tmp_path), EditFile(tmp_path)]

    def save(page: int) -> None:
        for number in range(20):
            files[page % 2].merge([entry(f"{page}-{number}", at=number, tag=f"tag {page} {number}")])

    threads = [threading.Thread(target=save, args=(page,)) for page in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(tags(tmp_path)) == sorted(f"tag {page} {number}" for page in range(4) for number in range(20))
    assert [edit["at"] for edit in content(tmp_path)["edits"]] == sorted(list(range(20)) * 4)
    assert [path.name for path in (tmp_path / ".wd14").iterdir()] == ["edits.json"]


def test_an_undo_counts_in_every_page_and_after_a_restart(tmp_path: Path) -> None:
    edits = EditFile(tmp_path)
    edits.merge([entry("a"), entry("b", tag="hat")])
    edits.merge([entry("a", rev=1, undone=True)])
    assert tags(tmp_path) == ["hat"]
    again = EditFile(tmp_path)
    again.merge([entry("a")])  # of a page that has not heard of it
    assert tags(tmp_path) == ["hat"]
    again.merge([entry("a", rev=2)])
    assert tags(tmp_path) == ["smile", "hat"]


def test_of_a_known_edit_only_its_state_is_taken(tmp_path: Path) -> None:
    """A page that knows fewer of its pictures must not narrow it."""
    edits = EditFile(tmp_path)
    edits.merge([entry("a")])
    edits.merge([entry_from({**entry("a", rev=1).as_json(), "rows": []}, 1)])
    assert content(tmp_path)["edits"][0]["rows"] == [SHA]


def test_a_page_hears_what_the_others_did_and_not_itself(tmp_path: Path) -> None:
    edits = EditFile(tmp_path)
    _, first = edits.merge([entry("mine")])
    edits.merge([entry("theirs")])
    heard, revision = edits.merge([entry("mine too")], first)
    assert [each.id for each in heard] == ["theirs"]
    assert edits.since(revision) == ([], revision)


def test_edits_of_another_program_stay(tmp_path: Path) -> None:
    """They have no id; two that are the same are two."""
    edits = EditFile(tmp_path)
    edits.merge([entry("a", tag="hat")])
    theirs = content(tmp_path)
    theirs["edits"] += [{"op": "add", "tag": "neko", "rows": "all"}] * 2
    (tmp_path / ".wd14" / "edits.json").write_text(json.dumps(theirs), "utf-8")
    edits.merge([entry("b", at=1 << 40, tag="late")])
    assert tags(tmp_path) == ["hat", "neko", "neko", "late"]
    assert [each.edit["tag"] for each in EditFile(tmp_path).since(0)[0]] == ["hat", "neko", "neko", "late"]


def test_lines_that_a_person_copied_or_changed_are_edits_of_their_own(tmp_path: Path) -> None:
    edits = EditFile(tmp_path)
    edits.merge([entry("a", tag="hat")])
    path = tmp_path / ".wd14" / "edits.json"
    written = path.read_text("utf-8").replace(SHA, SHA.upper())
    line = written.splitlines()[1].removesuffix("]}")
    path.write_text(written.replace("]}", ",\n" + line.replace("hat", "coat") + "]}"), "utf-8")
    edits.merge([entry("b", at=9, tag="late")])
    assert sorted(tags(tmp_path)) == ["coat", "hat", "late"]
    path.write_text(path.read_text("utf-8").replace("late", "later"), "utf-8")
    heard, _ = edits.since(0)
    assert sorted(each.edit["tag"] for each in heard) == ["coat", "hat", "late", "later"]
    assert {tuple(each.edit["rows"]) for each in heard} == {(SHA,)}


def test_a_file_that_is_none_of_ours_is_left_alone(tmp_path: Path) -> None:
    edits = EditFile(tmp_path)
    edits.merge([entry("a")])
    path = tmp_path / ".wd14" / "edits.json"
    for text in ("half a fi", '{"version": 2, "edits": []}', '{"version": 1, "edits": [{"op": "explode"}]}'):
        path.write_text(text, "utf-8")
        with pytest.raises(ConfigError, match=r"edits\.json"):
            edits.merge([entry("b")])
        assert path.read_text("utf-8") == text


def test_a_full_disk_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    edits = EditFile(tmp_path)
    edits.merge([entry("a", tag="hat")])

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(OutputError, match="No space left"):
            edits.merge([entry("b")])
    assert tags(tmp_path) == ["hat"]
    assert [path.name for path in (tmp_path / ".wd14").iterdir()] == ["edits.json"]
    edits.merge([entry("b")])  # the page tries again
    assert tags(tmp_path) == ["hat", "smile"]


def test_what_is_written_by_hand_while_a_page_saves_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where the disk is full at that time; and what a killed server left is cleared away."""
    edits = EditFile(tmp_path)
    edits.merge([entry("a", tag="hat")])
    path = tmp_path / ".wd14" / "edits.json"
    path.with_name(".edits.json-0123abcd").write_text("half a fi")
    by_hand = iter(["coat", "shoe"])

    def write_by_hand(tag: str) -> None:
        path.write_text(json.dumps({"version": 1, "edits": [{"op": "add", "tag": tag, "rows": "all"}]}), "utf-8")

    def slow(_: int) -> None:
        for tag in by_hand:
            write_by_hand(tag)
            if tag == "coat":
                raise OSError(28, "No space left on device")

    write_by_hand("glove")
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", slow)
        with pytest.raises(OutputError, match="No space left"):
            edits.merge([entry("b")])
        edits.merge([entry("b")])
    assert sorted(tags(tmp_path)) == ["coat", "hat", "shoe", "smile"]
    assert [each.name for each in path.parent.iterdir()] == ["edits.json"]


def test_no_more_is_saved_than_a_run_replays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def of_all(tag: str) -> Entry:
        return Entry(tag, 5, {"op": "remove", "tag": tag, "rows": "all"})

    monkeypatch.setattr("wd14.review.edits.MOST_OF_ALL", 2)
    edits = EditFile(tmp_path)
    edits.merge([of_all(name) for name in "ab"])
    with pytest.raises(ConfigError, match="expected at most 2 edits of all pictures, got 3"):
        edits.merge([of_all("c")])
    assert tags(tmp_path) == ["a", "b"]


@pytest.mark.parametrize("link", [".wd14", ".wd14/edits.json"])
def test_no_link_leads_out_of_the_dataset(tmp_path: Path, link: str) -> None:
    """Whether it was there before, or comes while the server runs."""
    dataset, outside = tmp_path / "set", tmp_path / "outside"
    outside.mkdir()
    (outside / "file").write_text('{"version": 1, "edits": []}')
    (dataset / link).parent.mkdir(parents=True)
    edits = EditFile(dataset)
    (dataset / link).symlink_to(outside if link == ".wd14" else outside / "file")
    for reading in (lambda: EditFile(dataset), lambda: edits.since(0), lambda: edits.merge([entry("a")])):
        with pytest.raises(OutputError, match="is a link"):
            reading()
    assert [path.name for path in outside.iterdir()] == ["file"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"op": "explode"}, "op: expected"),
        ({"tag": 5}, "tag: expected text"),
        ({"rows": ["../x"]}, "rows: "),
        ({"rows": [None]}, "rows: "),
        ({"id": "a/../b"}, "id: expected"),
        ({"at": -1}, "at: expected"),
        ({"rev": True}, "rev: expected"),
        ({"undone": "no"}, "undone: expected"),
    ],
)
def test_what_is_no_edit_is_refused(change: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=f"entry 3: {words}"):
        entry_from({**entry("a").as_json(), **change}, 3)
