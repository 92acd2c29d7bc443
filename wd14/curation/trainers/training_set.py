"""A dataset as a trainer sees it, and what each trainer's file offers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from wd14.concepts import concept_name, repeats_in
from wd14.spelling import split_caption
from wd14.text import count, printable

#: Of the model that is trained, in pixels: what SDXL and its descendants learned from, and later models too.
RESOLUTION = 1024


@dataclass(frozen=True, slots=True)
class Concept:
    """A folder of pictures that a trainer is to learn from."""

    folder: Path  #: absolute
    pictures: int  #: those that the trainer reads; at least 1
    repeats: int  #: how often each is shown in an epoch; at least 1

    @property
    def name(self) -> str:
        """The folder's name without its repeats."""
        return concept_name(self.folder.name)

    @property
    def in_words(self) -> str:
        """`alice: 20 pictures x 10`."""
        return f"{printable(self.name)}: {count(self.pictures, 'picture')} x {self.repeats:,}"


@dataclass(frozen=True, slots=True)
class TrainingSet:
    """A dataset in its final place."""

    folder: Path  #: where the trainer's files go; absolute
    name: str
    concepts: tuple[Concept, ...]  #: at least one
    trigger_words: tuple[str, ...] = ()
    separator: str = ", "  #: between two tags of a caption
    has_sentences: bool = False  #: whether captions hold more than tags
    caption_extension: str = ".txt"
    max_tokens: int = 0  #: the longest caption; 0 = not known
    prompts: tuple[str, ...] = ()  #: one line each

    @property
    def delimiter(self) -> str:
        """What a trainer can split captions at to shuffle their tags; empty = nothing."""
        return "" if self.has_sentences else self.separator.strip()

    @property
    def kept_tags(self) -> int:
        """The tags that are not to be shuffled: the trigger words, which may hold the separator."""
        return sum(len(split_caption(word, self.separator)) for word in self.trigger_words)

    @property
    def pictures_in_an_epoch(self) -> int:
        """All pictures, each as often as it is repeated."""
        return sum(concept.pictures * concept.repeats for concept in self.concepts)

    def file(self, name: str) -> str:
        """The path of one of the trainer's files."""
        return str(self.folder / name)

    def epoch(self) -> str:
        """`An epoch has 400 pictures: 400 steps at batch size 1.`"""
        number = self.pictures_in_an_epoch
        return f"An epoch has {count(number, 'picture')}: {count(number, 'step')} at batch size 1."


@dataclass(frozen=True, slots=True)
class Trainer:
    """What is known of a trainer."""

    title: str
    reads: Callable[[str], bool]  #: whether it takes a file of this name for a picture
    files: Callable[[TrainingSet], Mapping[str, str]]  #: {name: text}
    how_to_start: Callable[[TrainingSet], Iterator[str]]  #: lines for a person
    only_txt: bool = False  #: whether it reads captions from .txt files and no others
    shuffles: bool = False  #: whether its file says that tags are shuffled
    one_line: bool = False  #: whether it takes the lines of a caption file for several captions


def balanced(pictures: Mapping[str, int]) -> dict[str, int]:
    """Repeats for folders: what their names say (`10_alice`), and for the others what balances them.

    The others are shown about as often in an epoch as the folder that is shown most.

    Args:
        pictures: number of pictures of each folder, at least 1, by the folder's name.
    """
    most = max((number * (repeats_in(folder) or 1) for folder, number in pictures.items()), default=0)
    return {folder: repeats_in(folder) or max(1, round(most / number)) for folder, number in pictures.items()}
