"""Concepts: folders of a dataset that a trainer is to learn from, each as often as its name or its size says.

Kohya's folders are named `10_name`: their pictures are shown ten times in an epoch.
"""

from __future__ import annotations

import re

#: Up to three digits: `2024_summer` is a year. Kohya leaves folders of 0 repeats out; here they are as any other.
_NUMBERED = re.compile(r"0*([1-9][0-9]{0,2})_(.+)", re.DOTALL)


def repeats_in(folder: str) -> int | None:
    """The repeats that a folder's name asks for: `10_alice` -> 10; None where it asks for none."""
    match = _NUMBERED.fullmatch(folder)
    return int(match[1]) if match else None


def concept_name(folder: str) -> str:
    """A folder's name without its repeats: `10_alice` -> `alice`."""
    match = _NUMBERED.fullmatch(folder)
    return match[2] if match else folder


def concept_folder(path: str) -> str:
    """The folder that is the concept of a picture: the first one with repeats in its name, else the outermost.

    Args:
        path: the picture's folder within the dataset, parts joined with "/"; empty = the dataset's own folder.
    """
    parts = path.split("/")
    return next((part for part in parts if repeats_in(part) is not None), parts[0])
