"""File names as people, phones and attackers make them, from the command line to the dataset and back."""

from __future__ import annotations

import json
import os
import signal
import sys
import unicodedata
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from tests.support.faults import Faults, Outcome, is_complete, small_model, tree
from tests.support.tally import tally

pytestmark = pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs fork")

#: Escape sequences that colour, move the cursor, name the window, and make text read backwards.
HOSTILE = ("\x1b[31mred", "\x1b]0;title\x07", "a\rb", "a\nb", "tab\there", "\x7f\x9b1m", "\u202egnp.exe", "a\u2028b")


@pytest.fixture(scope="module")
def faults(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Faults]:
    with Faults(tmp_path_factory.mktemp("runs"), {"PYTHONIOENCODING": "utf-8"}) as server:
        yield server


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return small_model(tmp_path / "model")


def picture(path: Path | str, colour: int = 0) -> None:
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    with Path(path).open("wb") as file:
        Image.new("RGB", (20, 20), (colour % 256, colour // 256, 77)).save(file, "PNG")


def caption(faults: Faults, model: Path, *words: str | Path) -> Outcome:
    return faults.run("caption", "--generation-model", model, "--no-cache", *words)


def names(dataset: Path) -> list[str]:
    lines = (dataset / "train" / "metadata.jsonl").read_text("utf-8").splitlines()
    return [json.loads(line)["file_name"] for line in lines]


def check_terminal(outcome: Outcome) -> None:
    """Nothing but printable text and line ends reached the terminal."""
    for sign in outcome.said:
        assert sign == "\n" or unicodedata.category(sign) not in {"Cc", "Cf", "Cs", "Zl", "Zp"}, ascii(outcome.said)


def test_names_of_every_script_come_out_as_they_are(faults: Faults, model: Path, tmp_path: Path) -> None:
    wanted = [
        *(
            "ünïcödé.png",
            "日本語の絵.png",
            "صورة.png",
            "🙂.png",
            "with blanks  inside.png",
            "two.dots.png",
            "no'quotes`.png",
        ),
        *("-dash.png", "--output.png", "#hash.png", "100%.png", "a&b;c$d.png", "UPPER.PNG", "(1).png", "é-nfd.png"),
    ]
    for number, name in enumerate(wanted):
        picture(tmp_path / "src" / name, number)
    done = caption(faults, model, tmp_path / "src", "--output", tmp_path / "out")
    assert done.status == 0, done.said
    assert sorted(names(tmp_path / "out")) == sorted(wanted)
    assert is_complete(tmp_path / "out")


def test_bytes_that_are_no_text_and_signs_that_some_system_refuses(faults: Faults, model: Path, tmp_path: Path) -> None:
    """The pictures are captioned under names that every system takes."""
    wanted = [b"latin-\xe9.png", b"a:b.png", b"what?.png", b"pipe|.png", b"con.png", b"tail. .png", b"back\\slash.png"]
    for number, name in enumerate(wanted):
        picture(os.fsdecode(os.fsencode(tmp_path / "src") + b"/" + name), number)
    done = caption(faults, model, tmp_path / "src", "--output", tmp_path / "out")
    assert done.status == 0, done.said
    assert f"{len(wanted)} of {len(wanted)} pictures" in done.out
    for made in names(tmp_path / "out"):
        made.encode("utf-8")
        assert not set(made) & set('<>:"/\\|?*')
    assert is_complete(tmp_path / "out")


@pytest.mark.parametrize("hostile", HOSTILE, ids=ascii)
def test_control_codes_in_names_do_not_reach_the_terminal(
    faults: Faults, model: Path, tmp_path: Path, hostile: str
) -> None:
    """In a good picture's name, a bad one's, a folder's, the source's, the output's, and in a wrong argument."""
    source = tmp_path / f"src{hostile}"
    picture(source / f"good{hostile}.png")
    picture(source / hostile / "inside.png", 1)
    (source / f"bad{hostile}.png").write_bytes(b"no picture")
    (source / f"left{hostile}.mp4").write_bytes(b"a film")
    done = caption(faults, model, source, "--output", tmp_path / f"out{hostile}")
    check_terminal(done)
    assert done.status == 0, done.said
    assert "2 of 3 pictures" in done.out
    check_terminal(caption(faults, model, tmp_path / hostile))
    check_terminal(caption(faults, model, source, f"--{hostile}"))
    check_terminal(caption(faults, model, source, hostile))
    check_terminal(caption(faults, model, source, "--image-field", hostile))
    check_terminal(caption(faults, model, source, "--undesired-tags", hostile, "--output", tmp_path / "out-2"))
    check_terminal(faults.run("caption", source, "--generation-model", hostile))
    check_terminal(faults.run("caption", source, "--thresh", hostile))
    check_terminal(faults.run("cache", "--cache-folder", tmp_path / hostile))
    check_terminal(faults.run(hostile))
    tally("file names with control codes", 10)


def test_metadata_cannot_write_to_the_terminal_or_read_outside(faults: Faults, model: Path, tmp_path: Path) -> None:
    picture(tmp_path / "secret.png")
    picture(tmp_path / "src" / "good.png")
    (tmp_path / "src" / "link.png").symlink_to("../secret.png")
    rows = [
        "good.png",
        "../secret.png",
        str(tmp_path / "secret.png"),
        "link.png",
        "\x1b[31m.png",
        "\ud800.png",
        "a\0b.png",
    ]
    lines = [
        json.dumps({"file_name": row, "extra": "\ud800\x1b[31m", "\ud801": 1}) for row in [*rows, "file:///etc/passwd"]
    ]
    (tmp_path / "src" / "metadata.jsonl").write_text("\n".join([*lines, '{"file_name": "\x1b', ""]))
    before = tree(tmp_path / "src")
    done = caption(faults, model, tmp_path / "src", "--output", tmp_path / "out", "--keep-columns")
    check_terminal(done)
    assert done.status == 0, done.said
    assert names(tmp_path / "out") == ["good.png"]
    assert "1 of 9 pictures" in done.out
    assert tree(tmp_path / "src") == before
    tally("file names with control codes", 4)


def test_the_longest_names_there_are(faults: Faults, model: Path, tmp_path: Path) -> None:
    """255 bytes, and the same again in another folder, as PNG on white, and with text files beside."""
    for number, folder in enumerate(("", "a", "b")):
        picture(tmp_path / "src" / folder / ("x" * 251 + ".png"), number)
        picture(tmp_path / "src" / folder / ("絵" * 83 + "xx.png"), 10 + number)
    Image.new("RGBA", (9, 9), (1, 2, 3, 4)).save(tmp_path / "src" / ("y" * 250 + ".webp"))
    done = caption(faults, model, tmp_path / "src", "--output", tmp_path / "out", "--caption-files")
    assert done.status == 0, done.said
    assert "7 of 7 pictures" in done.out
    assert is_complete(tmp_path / "out")
    long = caption(
        faults,
        model,
        tmp_path / "src",
        "--output",
        tmp_path / "out2",
        "--caption-files",
        "--caption-extension",
        ".caption",
    )
    assert long.status == 0, long.said
    assert "7 of 7 pictures" in long.out


def test_the_longest_names_of_outputs(faults: Faults, model: Path, tmp_path: Path) -> None:
    """A name of 255 bytes twice, one that is too long, and a source whose name with _captions would be."""
    picture(tmp_path / "src" / "a.png")
    for _ in range(2):
        done = caption(faults, model, tmp_path / "src", "--output", tmp_path / ("絵" * 85))
        assert done.status == 0, done.said
    made = [place for place in tmp_path.iterdir() if place.name.startswith("絵")]
    assert len(made) == 2
    assert all(is_complete(place) for place in made)
    done = caption(faults, model, tmp_path / "src", "--output", tmp_path / ("z" * 300))
    assert done.status in (0, 1), done.said
    assert "Traceback" not in done.said
    picture(tmp_path / ("s" * 250) / "a.png")
    assert caption(faults, model, tmp_path / ("s" * 250)).status == 0


def test_names_that_differ_only_by_case_or_accents_written_apart(faults: Faults, model: Path, tmp_path: Path) -> None:
    for number, name in enumerate(("a.png", "A.png", "a.PNG", unicodedata.normalize("NFC", "é.png"))):
        picture(tmp_path / "src" / name, number)
    picture(tmp_path / "src" / unicodedata.normalize("NFD", "é.png"), 9)
    done = caption(faults, model, tmp_path / "src", "--output", tmp_path / "out")
    assert done.status == 0, done.said
    made = names(tmp_path / "out")
    assert len({unicodedata.normalize("NFC", name).casefold() for name in made}) == 5
    assert is_complete(tmp_path / "out")


def test_a_picture_cannot_take_the_place_of_the_datasets_own_files(faults: Faults, model: Path, tmp_path: Path) -> None:
    for number, name in enumerate(("metadata.png", "index.png", "METADATA.jpg")):
        picture(tmp_path / "src" / name, number)
    endings = ("--caption-files", "--caption-extension", ".jsonl")
    done = caption(faults, model, tmp_path / "src", "--output", tmp_path / "out", *endings)
    assert done.status == 0, done.said
    assert len(names(tmp_path / "out")) == 3


@pytest.mark.parametrize(
    "ending", [".png", ".PNG", "", "txt", ".", "../x", "/x", ".a/b", ".t\nxt", ".jpg", "." + "x" * 300]
)
def test_text_files_cannot_be_named_like_pictures_or_lead_elsewhere(
    faults: Faults, model: Path, tmp_path: Path, ending: str
) -> None:
    """With --in-place and --append-tags the picture itself would be replaced."""
    picture(tmp_path / "src" / "a.png")
    before = tree(tmp_path / "src")
    refused = caption(faults, model, tmp_path / "src", "--in-place", "--append-tags", f"--caption-extension={ending}")
    check_terminal(refused)
    assert "Traceback" not in refused.said
    if ending == "":  # empty is the default
        assert refused.status == 0, refused.said
        assert (tmp_path / "src" / "a.txt").exists()
        return
    assert refused.status == 2, refused.said
    assert "Caption File Extension" in refused.err
    assert tree(tmp_path / "src") == before


def test_sources_and_outputs_of_odd_names(faults: Faults, model: Path, tmp_path: Path) -> None:
    """A leading dash, blanks, dots, a trailing slash, `..`, a link to a folder, and relative paths."""
    for name in ("-dashed", " blank ", "dots.and.more", "plain"):
        picture(tmp_path / name / "a.png")
    (tmp_path / "link").symlink_to("plain")
    for number, source in enumerate(
        ("-dashed", " blank ", "dots.and.more", "plain/", "link", "plain/../plain", "plain/.")
    ):
        done = caption(faults, model, f"{tmp_path}/{source}", "--output", tmp_path / f"out{number}")
        assert done.status == 0, done.said
        assert names(tmp_path / f"out{number}") == ["a.png"]
    odd = caption(faults, model, "--output", f"{tmp_path}/sub/../odd/", "--", f"{tmp_path}/plain")
    assert odd.status == 0, odd.said
    assert (tmp_path / "odd" / "train" / "metadata.jsonl").exists()


def test_a_home_that_nobody_has_is_said(faults: Faults, model: Path, tmp_path: Path) -> None:
    picture(tmp_path / "src" / "a.png")
    for words in (("~nobody-of-that-name/x",), (tmp_path / "src", "--cache-folder", "~nobody-of-that-name/x")):
        failed = faults.run("caption", *words, "--generation-model", model)
        assert failed.status == 2, failed.said
        assert "Traceback" not in failed.said
    failed = faults.run("caption", tmp_path / "src", "--generation-model", "~nobody-of-that-name/x")
    assert failed.status in (1, 2)
    assert "Traceback" not in failed.said


def test_an_output_inside_its_source_is_no_part_of_it(faults: Faults, model: Path, tmp_path: Path) -> None:
    """`cd photos; wd14-captioner caption .` twice: the second run does not caption the first one's result."""
    source = tmp_path / "src"
    picture(source / "a.png")
    before = tree(source)
    for name in ("src_captions", "src_captions-2"):
        done = caption(faults, model, source, "--output", source / "src_captions")
        assert done.status == 0, done.said
        assert names(source / name) == ["a.png"]
    assert "src_captions/ is the result of an earlier run: left out" in done.out
    assert {name: kept for name, kept in tree(source).items() if not name.startswith("src_captions")} == before
    # Moved into another dataset it is a part of that one.
    (tmp_path / "other").mkdir()
    (source / "src_captions").rename(tmp_path / "other" / "train")
    assert caption(faults, model, tmp_path / "other", "--output", tmp_path / "both").status == 0
    assert names(tmp_path / "both") == ["a.png"]


def test_links_out_of_the_dataset_are_followed_only_when_asked(faults: Faults, model: Path, tmp_path: Path) -> None:
    picture(tmp_path / "elsewhere" / "b.png", 1)
    picture(tmp_path / "src" / "a.png")
    (tmp_path / "src" / "b.png").symlink_to("../elsewhere/b.png")
    (tmp_path / "src" / "inside.png").symlink_to("a.png")
    (tmp_path / "src" / "folder").symlink_to("../elsewhere")
    (tmp_path / "src" / "loop").symlink_to(".")
    done = caption(faults, model, tmp_path / "src", "--output", tmp_path / "out")
    assert done.status == 0, done.said
    assert names(tmp_path / "out") == ["a.png", "inside.png"]
    assert not (tmp_path / "out" / "inside.png").is_symlink(), "the copy does not depend on the source"
    asked = caption(faults, model, tmp_path / "src", "--output", tmp_path / "out2", "--follow-symlinks")
    assert asked.status == 0, asked.said
    assert sorted(names(tmp_path / "out2")) == ["a.png", "b-2.png", "b.png", "inside.png"]


def test_a_folder_full_of_links_is_told_in_a_few_lines(faults: Faults, model: Path, tmp_path: Path) -> None:
    picture(tmp_path / "src" / "sub" / "a.png")
    (tmp_path / "elsewhere").mkdir()
    for number in range(2000):
        (tmp_path / "src" / f"in-{number}").symlink_to("sub")
        (tmp_path / "src" / f"out-{number}").symlink_to("../elsewhere")
    done = caption(faults, model, tmp_path / "src", "--output", tmp_path / "out")
    assert done.status == 0, done.said
    assert names(tmp_path / "out") == ["a.png"]
    assert "… and 1,995 more links to folders inside the dataset" in done.out
    assert "… and 1,995 more links out of the dataset's folder" in done.out
    assert len(done.out.splitlines()) < 30


def test_arguments_that_are_no_text_end_in_a_dataset(faults: Faults, model: Path, tmp_path: Path) -> None:
    """Bytes that no UTF-8 file can hold, in an output's path, and in words that open every caption."""
    picture(tmp_path / "src" / "a.png")
    output = Path(os.fsdecode(os.fsencode(tmp_path) + b"/out\xfe"))
    words = ("--trigger-words", os.fsdecode(b"w\xff"), "--caption-files")
    done = caption(faults, model, tmp_path / "src", "--output", output, *words)
    check_terminal(done)
    assert done.status == 0, done.said
    assert is_complete(output)
    odd = Path(os.fsdecode(os.fsencode(tmp_path) + b"/model\xff"))
    model.rename(odd)
    done = caption(faults, odd, tmp_path / "src", "--output", tmp_path / "out")
    check_terminal(done)
    assert done.status == 0, done.said
    assert is_complete(tmp_path / "out")
    assert sys.getfilesystemencoding() == "utf-8"
