"""Tagging from Python: pictures in, tags out, no dataset around them."""

from __future__ import annotations

import difflib
import io
from collections.abc import Callable, Iterable, Iterator, Mapping, Sized
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, overload

from PIL import Image

from wd14.caption.captioner import Captioner
from wd14.config import CaptionConfig
from wd14.errors import ConfigError, NotAnImageError, RowError
from wd14.job_scores import JobScores
from wd14.model.files import registry
from wd14.model.files.description import ModelDescription
from wd14.model.files.find import find_model
from wd14.model.scoring import AnyTagger
from wd14.model.tagger import Tagger
from wd14.pipeline import logger
from wd14.scored_rows import ScoredRows
from wd14.stop import StopToken
from wd14.tagging import with_further_models
from wd14.threads import BackgroundCall, Exhausted
from wd14.token_counting import token_counter
from wd14.types import DecodedRow, FloatArray, InputRow, Labels

if TYPE_CHECKING:
    from wd14.checking import CheckReport
    from wd14.evaluating import Evaluation

R = TypeVar("R")

#: A picture: the path of a file, the bytes of one, or an open Pillow image.
Picture = str | Path | bytes | Image.Image

#: Pillow modes that a PNG keeps as they are.
_PNG_MODES = ("1", "L", "LA", "P", "RGB", "RGBA", "I;16")


@dataclass(frozen=True)
class Tags:
    """What a model sees in one picture, or why it sees nothing.

    Attributes:
        categories: category -> {tag: score}, best first; scores are 0..1. Ratings are all there, of the other
            categories the tags at or above their threshold.
        error: why the picture has no tags; None when it has.
    """

    categories: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    error: RowError | None = None
    _caption: str = ""

    @property
    def general(self) -> Mapping[str, float]:
        """General tags (what is to be seen) with their scores, best first."""
        return self.categories.get("general", {})

    @property
    def character(self) -> Mapping[str, float]:
        """Character tags (who is to be seen) with their scores, best first."""
        return self.categories.get("character", {})

    @property
    def rating(self) -> Mapping[str, float]:
        """All ratings (general, sensitive, questionable, explicit) with their scores, best first."""
        return self.categories.get("rating", {})

    def caption(self) -> str:
        """The caption, written as the call's parameters say.

        Raises:
            RowError: the picture has no tags: its `error`.
        """
        if self.error is not None:
            raise self.error
        return self._caption


@overload
def tag(pictures: Picture, model: str | Path | Tagger = ..., **parameters: Any) -> Tags: ...
@overload
def tag(pictures: Iterable[Picture], model: str | Path | Tagger = ..., **parameters: Any) -> list[Tags]: ...
def tag(
    pictures: Picture | Iterable[Picture], model: str | Path | Tagger = registry.DEFAULT, **parameters: Any
) -> Tags | list[Tags]:
    """Tags one picture, or several.

    Args:
        pictures: a path, the bytes of a file, a Pillow image, or several of these.
        model: an id, a folder with `model.onnx` and `selected_tags.csv`, or a `Tagger`, whose session is then used.
        parameters: any of `CaptionConfig`: `thresh=0.4`, `ensemble=[…]`, `remove_underscore=True`, …

    Returns:
        `Tags`; for several pictures a list of them in the same order, where a bad picture has its `error` set.

    Raises:
        RowError: the one picture cannot be tagged.
        ConfigError: there is no such parameter, or it cannot have this value.
        ModelError: the model cannot be used.
    """
    config = _config(parameters)
    if isinstance(pictures, Picture):
        (result,) = _tag_all([pictures], model, config)
        if result.error is not None:
            raise result.error
        return result
    return _tag_all(pictures, model, config)


def check_dataset(source: str | Path, **parameters: Any) -> CheckReport:
    """Says what is wrong with a captioned dataset, as `wd14-captioner check` does. Changes nothing, runs no model.

    Args:
        source: anything that can be captioned, with its captions.
        parameters: those of `CaptionConfig` that say how to read it and what its captions are to be like.

    Raises:
        ConfigError: there is no such parameter, or it cannot have this value.
        SourceError: the dataset cannot be read.
    """
    from wd14.checking import check_source

    _check_names(parameters)
    return check_source(source, parameters, log=logger.info)


def evaluate_dataset(source: str | Path, **parameters: Any) -> Evaluation:
    """Says how well a model agrees with the captions of a dataset, as `wd14-captioner evaluate` does.

    Runs the model for pictures without stored scores. Changes nothing in the dataset.

    Args:
        source: anything that can be captioned, with its captions.
        parameters: any of `CaptionConfig`: `edits="edits.json"`, `generation_model=…`, `thresh=0.4`, …

    Raises:
        ConfigError: there is no such parameter, or it cannot have this value.
        SourceError: the dataset cannot be read, or has no captions.
        ModelError: the model cannot be used.
    """
    from wd14.evaluating import evaluate

    _check_names(parameters)
    return evaluate(source, parameters, log=logger.info)


def models() -> tuple[ModelDescription, ...]:
    """The models that are known by name; any other works by its Hugging Face id or its folder."""
    return registry.MODELS


def _config(parameters: Mapping[str, Any]) -> CaptionConfig:
    _check_names(parameters)
    config = CaptionConfig.from_values(parameters)
    if config.studies or config.edits:
        raise ConfigError("purpose, fold_tags, plan and edits are about a whole dataset: use wd14.caption_dataset")
    return config


def _check_names(parameters: Mapping[str, Any]) -> None:
    for name in parameters:
        if name not in CaptionConfig.model_fields:
            close = difflib.get_close_matches(name, CaptionConfig.model_fields, n=1)
            hint = f"; did you mean {close[0]}?" if close else "; see wd14.CaptionConfig"
            raise ConfigError(f"there is no parameter {name!r}{hint}")


def _tag_all(pictures: Iterable[Picture], model: str | Path | Tagger, config: CaptionConfig) -> list[Tags]:
    stop = StopToken()
    tagger = model if isinstance(model, Tagger) else None
    first = tagger.files if tagger is not None else find_model(model, log=logger.info, stop=stop)  # type: ignore[arg-type]
    tagging = with_further_models(first, config, log=logger.info, stop=stop)
    labels = tagging.model.labels
    tokens = token_counter(config, log=logger.info, stop=stop)
    captioner = Captioner(labels, config, published=tagging.model.thresholds, tokens=tokens)
    if tagging.further:
        pictures = list(pictures)  # each model goes over them
    total = len(pictures) if isinstance(pictures, Sized) else None
    session = None if tagger is None else BackgroundCall[AnyTagger](lambda: tagger, "wd14-session")
    with JobScores(config, several=bool(tagging.further), needed=True) as kept:
        more: dict[str, Any] = {"stop": stop, "log": logger.info, "pictures": total, "spare": kept.spare}
        for further in tagging.further:
            rows = _input_rows(pictures, exif_orientation=config.exif_orientation)
            _all(tagging.further_rows(further, rows, config, **more), lambda _: None)
        rows = _input_rows(pictures, exif_orientation=config.exif_orientation)
        scored = tagging.rows(rows, config, session=session, **more)
        return _all(scored, lambda row: _tags(row, captioner, labels))


def _all(scored: ScoredRows, made: Callable[[DecodedRow], R]) -> list[R]:
    """What is made of each row."""
    results: list[R] = []
    with scored:
        while True:
            try:
                results += map(made, scored.take(timeout=1.0))
            except TimeoutError:
                continue
            except Exhausted:
                return results


def _input_rows(pictures: Iterable[object], *, exif_orientation: bool) -> Iterator[InputRow]:
    for index, picture in enumerate(pictures):
        name = f"picture {index}"
        if isinstance(picture, str | Path):
            yield InputRow(index, Path(picture).name, str(picture), path=Path(picture))
        elif isinstance(picture, bytes):
            yield InputRow(index, name, name, data=picture)
        elif isinstance(picture, Image.Image):
            try:
                yield InputRow(index, name, name, data=_encoded(picture, exif_orientation=exif_orientation))
            except (OSError, ValueError) as error:
                yield InputRow(index, name, name, error=NotAnImageError(f"the Pillow image cannot be used: {error}"))
        else:
            kind = type(picture).__name__
            reason = NotAnImageError(f"expected a path, bytes or a Pillow image, got {kind}")
            yield InputRow(index, name, name, error=reason)


def _encoded(image: Image.Image, *, exif_orientation: bool) -> bytes:
    """A Pillow image as the bytes of a PNG, without loss."""
    from PIL import ImageOps

    if exif_orientation:
        image = ImageOps.exif_transpose(image)
    encoded = io.BytesIO()
    (image if image.mode in _PNG_MODES else image.convert("RGB")).save(encoded, "PNG", compress_level=0)
    return encoded.getvalue()


def _tags(row: DecodedRow, captioner: Captioner, labels: Labels) -> Tags:
    try:
        scores = row.result.require_scores()
        caption = captioner(scores).text
    except RowError as error:
        return Tags(error=error)
    return Tags(_by_category(captioner, labels, scores), None, caption)


def _by_category(captioner: Captioner, labels: Labels, scores: FloatArray) -> dict[str, dict[str, float]]:
    ratings = [index for index, category in enumerate(labels.categories) if category == "rating"]
    found: dict[str, dict[str, float]] = {}
    for index in sorted([*ratings, *captioner.kept(scores).tolist()], key=lambda index: -scores[index]):
        found.setdefault(labels.categories[index], {})[labels.names[index]] = round(float(scores[index]), 4)
    return found
