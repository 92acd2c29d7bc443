"""Each trainer's files, by its documented rules, and read by its own code where a checkout of it is at hand."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tomllib
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped,unused-ignore]

from tests.support import trainer_parsers
from wd14.config import CaptionConfig
from wd14.curation.even_sample import EvenSample
from wd14.curation.trainers.collector import TRAINERS, TrainerFiles
from wd14.curation.trainers.sample_prompts import MOST_CAPTIONS, sample_prompts
from wd14.curation.trainers.training_set import Concept, TrainingSet, balanced
from wd14.errors import ConfigError
from wd14.types import Destination, RowReport, Status

#: Whatever TOML, YAML, JSON and ai-toolkit's `${…}` could mistake for something else.
NASTY = Path('/data/it\'s "q" \\n \\users C:\\a #x = [1] ${NO_SUCH} 猫😀\u0085\u2028\x7f/train')

PROMPTS = ("mychar, 1girl", "a \"b\" 'c' \\(d\\), ${NO_SUCH}, x: y # z", "猫😀")

SET = TrainingSet(
    folder=NASTY / ".wd14",
    name='na"me: ${NO_SUCH}',
    concepts=(Concept(NASTY / "10_alice", 20, 10), Concept(NASTY / "bob", 40, 5), Concept(Path("/plain/c"), 1, 200)),
    trigger_words=("mychar", "myoutfit"),
    separator=" | ",
    prompts=PROMPTS,
)
CONCEPTS = [[str(concept.folder), concept.repeats] for concept in SET.concepts]


@pytest.mark.parametrize(
    ("pictures", "repeats"),
    [
        ({"a": 7}, {"a": 1}),
        ({"10_a": 7}, {"10_a": 10}),
        ({"a": 100, "b": 40, "c": 1}, {"a": 1, "b": 2, "c": 100}),  # 2.5 to the even one
        ({"a": 100, "b": 99}, {"a": 1, "b": 1}),
        ({"10_alice": 20, "5_bob": 10, "crowd": 50}, {"10_alice": 10, "5_bob": 5, "crowd": 4}),
        ({"010_a": 5, "0_b": 5, "2024_summer": 5, "10_": 5, "x10_c": 5}, {"010_a": 10} | dict.fromkeys(
            ("0_b", "2024_summer", "10_", "x10_c"), 10)),
        ({}, {}),
    ],
)  # fmt: skip
def test_repeats_are_the_persons_own_or_balance_the_folders(pictures: dict[str, int], repeats: dict[str, int]) -> None:
    assert balanced(pictures) == repeats


def kohya(files: dict[str, str]) -> dict[str, Any]:
    config = tomllib.loads(files["dataset.toml"])
    # It knows no other keys at these places, and takes no number of another type.
    assert set(config) == {"general", "datasets"}
    assert {key: type(value) for key, value in config["general"].items()} == {
        "caption_extension": str, "shuffle_caption": bool, "caption_separator": str, "keep_tokens": int,
    }  # fmt: skip
    (dataset,) = config["datasets"]
    subsets = dataset.pop("subsets")
    assert dataset == {"resolution": 1024, "batch_size": 1, "enable_bucket": True}
    assert {tuple(subset) for subset in subsets} == {("image_dir", "class_tokens", "num_repeats")}
    assert [subset["class_tokens"] for subset in subsets] == ["alice", "bob", "c"]
    lines = [line for line in files["sample_prompts.txt"].split("\n") if line and not line.startswith("#")]
    assert all(line.endswith(" --w 1024 --h 1024 --d 42") for line in lines)
    general = config["general"]
    assert (general["keep_tokens"], general["caption_separator"], general["shuffle_caption"]) == (2, "|", True)
    return {
        "concepts": [[subset["image_dir"], subset["num_repeats"]] for subset in subsets],
        "prompts": [line.split(" --")[0] for line in lines],
    }


def onetrainer(files: dict[str, str]) -> dict[str, Any]:
    assert all(files[name].isascii() for name in ("concepts.json", "samples.json"))
    concepts, samples = json.loads(files["concepts.json"]), json.loads(files["samples.json"])
    assert {each["text"]["keep_tags_count"] for each in concepts} == {2}
    assert {each["__version"] for each in concepts} == {2}
    return {
        "concepts": [[each["path"], each["balancing"]] for each in concepts],
        "prompts": [each["prompt"] for each in samples],
    }


def ai_toolkit(files: dict[str, str]) -> dict[str, Any]:
    text = files["ai-toolkit.yaml"]
    assert "${" not in text
    assert "[name]" not in text
    config = yaml.safe_load(text)
    assert config["job"] == "extension"
    assert config["config"]["name"] == SET.name
    (process,) = config["config"]["process"]
    assert {each["caption_ext"] for each in process["datasets"]} == {"txt"}
    return {
        "concepts": [[each["folder_path"], each["num_repeats"]] for each in process["datasets"]],
        "prompts": process["sample"]["prompts"],
    }


def diffusion_pipe(files: dict[str, str]) -> dict[str, Any]:
    config = tomllib.loads(files["dataset.toml"])
    assert {"resolutions", "enable_ar_bucket", "min_ar", "max_ar", "num_ar_buckets"} < set(config)  # all at the top
    return {
        "concepts": [[each["path"], each["num_repeats"]] for each in config["directory"]],
        "prompts": files["sample_prompts.txt"].splitlines(),
    }


RULES: dict[str, Callable[[dict[str, str]], dict[str, Any]]] = {
    "kohya": kohya,
    "onetrainer": onetrainer,
    "ai-toolkit": ai_toolkit,
    "diffusion-pipe": diffusion_pipe,
}


@pytest.mark.parametrize("trainer", TRAINERS)
def test_files_say_what_was_meant_whatever_the_names(trainer: str) -> None:
    assert RULES[trainer](dict(TRAINERS[trainer].files(SET))) == {"concepts": CONCEPTS, "prompts": list(PROMPTS)}


@pytest.mark.parametrize("trainer", TRAINERS)
def test_the_trainers_own_code_reads_them(trainer: str, tmp_path: Path) -> None:
    checkouts = os.environ.get("WD14_TRAINER_CHECKOUTS")
    if checkouts is None or not (Path(checkouts) / trainer).is_dir():
        pytest.skip(f"WD14_TRAINER_CHECKOUTS names no folder with a checkout called {trainer}")
    if trainer in ("kohya", "diffusion-pipe"):
        pytest.importorskip("toml")
    if trainer == "kohya":
        pytest.importorskip("voluptuous")
    for name, text in TRAINERS[trainer].files(SET).items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    command = [sys.executable, trainer_parsers.__file__, trainer, str(Path(checkouts) / trainer), str(tmp_path)]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    read = json.loads(ended.stdout.splitlines()[-1])
    assert (read["concepts"], read["prompts"]) == (CONCEPTS, list(PROMPTS))
    assert read["more"] == {
        "kohya": {
            "options": [{"width": 1024, "height": 1024, "seed": 42, "enum": number} for number in range(len(PROMPTS))],
            "resolution": [1024, 1024],
            "bucket": True,
            "caption_extension": ".txt",
            "keep_tokens": 2,
            "caption_separator": "|",
        },
        "onetrainer": [],
        "ai-toolkit": [".txt", [1024]],
        "diffusion-pipe": {
            "resolutions": [1024], "enable_ar_bucket": True, "min_ar": 0.5, "max_ar": 2.0, "num_ar_buckets": 7,
        },
    }[trainer]  # fmt: skip


@pytest.mark.parametrize(
    ("prompt", "written"),
    [
        ("a, --w 5, b", "a, -w 5, b"),  # an option of kohya's
        ("--n, a", "-n, a"),
        ("#tag, a", ", #tag, a"),  # a comment
        ("s 20, a", ", s 20, a"),  # kohya looks for options in the prompt as well
        ("solo, 1girl", "solo, 1girl"),
    ],
)
def test_kohya_takes_no_word_of_a_prompt_for_an_option(prompt: str, written: str) -> None:
    lines = TRAINERS["kohya"].files(replace(SET, prompts=(prompt,)))["sample_prompts.txt"].splitlines()
    assert lines[-1] == f"{written} --w 1024 --h 1024 --d 42"


def test_ai_toolkit_replaces_nothing_in_prompts_and_warns_of_paths() -> None:
    training = replace(SET, prompts=("a [name] [trigger]",), concepts=(Concept(Path("/x/[name]/a"), 1, 1),))
    trainer = TRAINERS["ai-toolkit"]
    assert '"a (name) (trigger)"' in trainer.files(training)["ai-toolkit.yaml"]
    assert "[name]" in list(trainer.how_to_start(training))[-1]
    (line,) = trainer.how_to_start(replace(SET, folder=Path("/my sets/a/.wd14")))
    assert line.endswith('python run.py "/my sets/a/.wd14/ai-toolkit.yaml"')


def test_sample_prompts_are_the_trigger_alone_and_captions_from_all_over() -> None:
    sample = EvenSample[str](MOST_CAPTIONS)
    for number in range(10_000):
        sample.add(partial(str, f"me, {'2girls' if number % 3 else '1girl'}, n{number}"))
    assert len(sample.items) <= 128
    prompts = sample_prompts(sample.items, ("me",), ", ")
    assert prompts[0] == "me, 2girls"
    numbers = [int(prompt.rpartition("n")[2]) for prompt in prompts[1:]]
    assert numbers == sorted(numbers)
    assert (len(numbers), numbers[0], numbers[-1] > 9_800) == (4, 0, True)
    assert sample_prompts(["a\nb"], (), ", ") == ("a b",)
    assert sample_prompts([], ("me", "you"), ", ") == ("me, you",)


def collected(trainer: str, names: list[str], **parameters: Any) -> TrainerFiles:
    files = TrainerFiles(CaptionConfig.from_values({"trainer": trainer, **parameters}))
    for number, name in enumerate(names):
        files.add(RowReport(number, name, Status.CAPTIONED, name, name, "a, b\nc" if number == 0 else "a"))
    files.add(RowReport(99, "bad", Status.FAILED, "bad", reason="damaged"))
    return files


def test_pictures_that_the_trainer_does_not_read_are_not_counted_and_said(tmp_path: Path) -> None:
    names = ["train/a/1.png", "train/a/2.JPG", "train/a/3.Jpg", "train/a/4.gif", "validation/a/5.png", "train/b/6.gif"]
    said = list(collected("kohya", names).closing_lines(tmp_path / "out"))
    assert said[0] == "Not read by kohya's scripts: 3 of 6 pictures (endings: .gif 2, .Jpg 1). Save them as PNG."
    assert said[1].startswith("Of several lines: 1 caption")
    assert said[2] == "An epoch has 2 pictures: 2 steps at batch size 1. a: 2 pictures x 1."
    assert f'--dataset_config="{tmp_path}/out/.wd14/dataset.toml"' in said[3]


def test_masks_are_no_pictures_that_cannot_be_read(tmp_path: Path) -> None:
    said = list(collected("onetrainer", ["train/a/1.png", "train/a/1-masklabel.png"]).closing_lines(tmp_path / "out"))
    assert said[0] == "Taken for masks by OneTrainer: 1 picture (by the end of the name, -masklabel)."
    assert not any("Save them as PNG" in line for line in said)


def test_a_dataset_of_which_the_trainer_reads_nothing_gets_no_file(tmp_path: Path) -> None:
    files = collected("ai-toolkit", ["train/a/1.gif"])
    destination = files.added_to(Destination(tmp_path, "out", tmp_path, lambda *_: {"index.json": "{}"}))
    assert destination.extra_files is not None
    assert destination.extra_files("out", None, 1) == {"index.json": "{}"}  # type: ignore[arg-type]
    assert list(files.closing_lines(tmp_path / "out"))[-1].startswith("No file for ai-toolkit")


def test_paths_are_those_of_the_final_name(tmp_path: Path) -> None:
    destination = collected("kohya", ["train/a/1.png"]).added_to(Destination(tmp_path, "out", tmp_path))
    assert destination.extra_files is not None
    files = destination.extra_files("out-2", None, 1)  # type: ignore[arg-type]
    (dataset,) = tomllib.loads(files[".wd14/dataset.toml"])["datasets"]
    assert dataset["subsets"][0]["image_dir"] == str(tmp_path / "out-2" / "train" / "a")


def test_what_a_trainer_cannot_read_is_refused() -> None:
    with pytest.raises(ConfigError, match="in_place"):
        TrainerFiles(CaptionConfig(trainer="kohya", in_place=True))
    with pytest.raises(ConfigError, match=r"\.caption.*\.txt files only"):
        TrainerFiles(CaptionConfig(trainer="onetrainer", caption_extension=".caption"))
    TrainerFiles(CaptionConfig(trainer="kohya", caption_extension=".caption"))


@pytest.mark.parametrize(
    ("most", "option"),
    [(0, ""), (75, ""), (76, " --max_token_length=150"), (151, " --max_token_length=225")],
)
def test_kohya_is_told_to_read_captions_as_long_as_they_may_be(most: int, option: str, tmp_path: Path) -> None:
    said = list(collected("kohya", ["train/a/1.png"], max_tokens=most).closing_lines(tmp_path / "out"))
    assert said[-1].endswith(f'sample_prompts.txt"{option}')


@pytest.mark.parametrize(
    ("triggers", "kept", "prompt"),
    [
        (["sks woman", "SKS Woman", "hat"], 2, "sks woman, hat"),  # captions have it once
        (["sks, woman"], 2, "sks, woman"),  # two tags to the trainer
    ],
)
def test_as_many_tags_stay_in_front_as_the_trigger_words_are(triggers: list[str], kept: int, prompt: str) -> None:
    made: dict[str, str] = {}
    for trainer in ("kohya", "onetrainer"):
        destination = Destination(Path("/sets"), "out", Path("/sets"))
        extra_files = collected(trainer, ["train/a/1.png"], trigger_words=triggers).added_to(destination).extra_files
        assert extra_files is not None
        made |= extra_files("out", None, 1)  # type: ignore[arg-type]
    assert tomllib.loads(made[".wd14/dataset.toml"])["general"]["keep_tokens"] == kept
    (concept,) = json.loads(made[".wd14/concepts.json"])
    assert concept["text"]["keep_tags_count"] == kept
    assert made[".wd14/sample_prompts.txt"].splitlines()[0] == prompt


def test_captions_with_sentences_are_not_shuffled(tmp_path: Path) -> None:
    files = collected("kohya", ["train/a/1.png"], append_tags=True)
    assert not any(line.startswith("With sentences") for line in files.closing_lines(tmp_path))
    files.add(RowReport(1, "2", Status.CAPTIONED, "2", "train/a/2.png", "1girl, solo. A girl waves, and smiles."))
    assert any(line.startswith("With sentences: 1 caption;") for line in files.closing_lines(tmp_path))
    extra_files = files.added_to(Destination(tmp_path, "out", tmp_path)).extra_files
    assert extra_files is not None
    config = tomllib.loads(extra_files("out", None, 1)[".wd14/dataset.toml"])  # type: ignore[arg-type]
    assert config["general"]["shuffle_caption"] is False
