"""kohya-ss/sd-scripts: `dataset.toml` for `--dataset_config`, prompts for `--sample_prompts`.

Its parser refuses keys that it does not know and numbers of the wrong type; see docs/trainers.md.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from wd14.curation.trainers.training_set import RESOLUTION, Concept, Trainer, TrainingSet
from wd14.curation.trainers.writing import commented, toml_string
from wd14.text import printable

_DATASET, _PROMPTS = "dataset.toml", "sample_prompts.txt"

#: All small or all capital: it looks for these names and not for `.Jpg`.
_EXTENSIONS = (".png", ".jpg", ".jpeg", ".webp", ".bmp")
_READ = frozenset(_EXTENSIONS) | {extension.upper() for extension in _EXTENSIONS}

#: Captions of more tokens than the first number need the second one, or they are cut.
_LENGTHS = ((150, 225), (75, 150))

#: It looks for options in the prompt itself too: "s 20" at its beginning would be 20 steps.
_LIKE_AN_OPTION = re.compile(r"(?:[wh]|ss?|[dlgn]|cn|ctr|rcfg|fs) ", re.IGNORECASE)


def _reads(name: str) -> bool:
    return name[name.rfind(".") :] in _READ


def _files(training: TrainingSet) -> dict[str, str]:
    options = f" --w {RESOLUTION} --h {RESOLUTION} --d 42"
    about = ["Prompts for --sample_prompts, one a line: --w width, --h height, --d seed, --n negative prompt."]
    prompts = "".join(f"{_prompt(prompt)}{options}\n" for prompt in training.prompts)
    return {_DATASET: _dataset(training), _PROMPTS: commented(about) + prompts}


def _dataset(training: TrainingSet) -> str:
    head = commented(_comments(training))
    general = (
        f"[general]\ncaption_extension = {toml_string(training.caption_extension)}\n"
        f"shuffle_caption = {'true' if training.delimiter else 'false'}\n"
        f"caption_separator = {toml_string(training.delimiter or ',')}\nkeep_tokens = {training.kept_tags}"
    )
    dataset = f"[[datasets]]\nresolution = {RESOLUTION}\nbatch_size = 1\nenable_bucket = true"
    return "\n\n".join([head + general, dataset, *map(_subset, training.concepts)]) + "\n"


def _comments(training: TrainingSet) -> Iterator[str]:
    yield f"For kohya's scripts: {_arguments(training)}"
    yield training.epoch()
    yield "Change as you like: resolution (512 for Stable Diffusion 1.5), batch_size, num_repeats."
    yield "keep_tokens = tags that stay in front, your trigger words, while the others are shuffled."
    yield "With --cache_text_encoder_outputs, set shuffle_caption = false: the script refuses both together."


def _subset(concept: Concept) -> str:
    return (
        f"[[datasets.subsets]]  # {concept.in_words}\n"
        f"image_dir = {toml_string(str(concept.folder))}\n"
        f"class_tokens = {toml_string(concept.name)}\n"
        f"num_repeats = {concept.repeats}"
    )


def _prompt(prompt: str) -> str:
    """A prompt whose words are not taken for options, and whose line is not taken for a comment."""
    prompt = re.sub(r"(?<!\S)-{2,}", "-", prompt)
    return f", {prompt}" if prompt.startswith("#") or _LIKE_AN_OPTION.match(prompt) else prompt


def _arguments(training: TrainingSet) -> str:
    lengths = [f" --max_token_length={length}" for longest, length in _LENGTHS if training.max_tokens > longest]
    dataset, prompts = printable(training.file(_DATASET)), printable(training.file(_PROMPTS))
    return f'--dataset_config="{dataset}" --sample_prompts="{prompts}"{"".join(lengths[:1])}'


def _how_to_start(training: TrainingSet) -> Iterator[str]:
    yield f"To train with kohya's scripts, add to the command: {_arguments(training)}"


KOHYA = Trainer("kohya's scripts", _reads, _files, _how_to_start, shuffles=True, one_line=True)
