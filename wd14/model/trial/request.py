"""What a trial's process is asked, and what it answers, as JSON."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from wd14.input_spec import InputSpec
from wd14.model.files.find import ModelFiles
from wd14.model.files.hashes import FileHash
from wd14.model.trial.candidates import Candidate
from wd14.published import Published
from wd14.types import UNUSED, Labels


@dataclass(frozen=True, slots=True)
class Request:
    """One candidate, to be tried with a model."""

    files: ModelFiles  #: of its labels the process gets how many there are, and which are unused
    candidate: Candidate
    threads: int | None  #: of one run on the CPU
    runs_at_once: int
    cores: int  #: that the process may use
    seconds: float  #: to measure for, at least; 0 = the scores of two pictures are all that is wanted

    def to_json(self) -> bytes:
        """A line."""
        labels = self.files.labels
        unused = [place for place, category in enumerate(labels.categories) if category == UNUSED]
        files = replace(self.files, labels=Labels((), ()), thresholds=Published())
        values = asdict(replace(self, files=files))
        values["files"] |= {"labels": [len(labels), unused], "spec": self.files.spec.to_dict()}
        return json.dumps(values, default=str).encode() + b"\n"

    @classmethod
    def from_json(cls, line: bytes) -> Request:
        """From what `to_json` gave."""
        values: dict[str, Any] = json.loads(line)
        files = values["files"]
        number, unused = files["labels"]
        categories = [""] * number
        for place in unused:
            categories[place] = UNUSED
        files |= {
            "model_path": Path(files["model_path"]),
            "labels_path": Path(files["labels_path"]),
            "labels": Labels(("",) * number, tuple(categories)),
            "thresholds": Published(),
            "spec": InputSpec.from_dict(files["spec"]),
            "hashes": tuple(FileHash(**each | {"path": Path(each["path"])}) for each in files["hashes"]),
        }
        return cls(**values | {"files": ModelFiles(**files), "candidate": Candidate(**values["candidate"])})


@dataclass(frozen=True, slots=True)
class Answer:
    """What a trial's process found."""

    scores: list[list[float]]  #: of the two pictures, a row each
    images_per_second: float | None = None
    batch: int | None = None  #: pictures at once that suit the device best, where that was found out
    problem: str = ""  #: why the candidate does not work; then there are no scores
    took_too_long: bool = False  #: which some GPUs do while they compile a model for the first time

    def to_json(self) -> bytes:
        """A line."""
        return json.dumps(asdict(self)).encode() + b"\n"

    @classmethod
    def from_json(cls, line: bytes) -> Answer:
        """From what `to_json` gave.

        Raises:
            ValueError: it is something else.
        """
        try:
            return cls(**json.loads(line))
        except (TypeError, RecursionError) as error:
            raise ValueError(str(error)) from error
