"""The stored scores of one model that suit a job: exact ones, and those in 16 bits where the job takes them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from wd14.config import CaptionConfig
from wd14.model.files.find import ModelFiles
from wd14.model.preprocess import PREPROCESS_VERSION
from wd14.model.runtimes.session import Precision
from wd14.model.score_store.store import ScoreStore
from wd14.types import FloatArray


class ModelScores:
    """Scores of a model in a store. Every method may be called from any thread.

    Args:
        store: the store.
        model: the files of the tagger.
        config: says how pictures are prepared, and whether scores in 16 bits will do: then they come first, so that
            a job's captions stay as they are, and exact ones are found too.
    """

    def __init__(self, store: ScoreStore, model: ModelFiles, config: CaptionConfig) -> None:
        self._views = {
            precision: store.view(model.identity, preprocessing_of(config, precision), model.labels, name=model.id)
            for precision in ("fast", "exact")
        }
        self._asked = [self._views[each] for each in (("fast", "exact") if config.precision == "fast" else ("exact",))]

    def is_empty(self) -> bool:
        """Whether there are none at all, as far as can be told at once: then every picture needs the model."""
        return all(view.is_empty() for view in self._asked)

    def get(self, picture: bytes) -> FloatArray | None:
        """Scores of a picture, (T,) float32 as `floor` gives them, or None.

        Args:
            picture: sha256 of the encoded picture, 32 bytes.
        """
        return self.get_many([picture]).get(picture)

    def get_many(self, pictures: Sequence[bytes]) -> dict[bytes, FloatArray]:
        """As `get`, by the sha256 of each picture; those without scores are left out."""
        found: dict[bytes, FloatArray] = {}
        for view in self._asked:
            found |= view.get_many([picture for picture in pictures if picture not in found])
        return found

    def put(self, rows: Iterable[tuple[bytes, FloatArray]], precision: Precision) -> None:
        """Keeps scores, see `ScoreView.put`, where those of the precision belong that the model ran in."""
        self._views[precision].put(rows)


def preprocessing_of(config: CaptionConfig, precision: Precision) -> str:
    """All that shapes scores beside the picture and the model: part of a stored score's key."""
    upright = "upright" if config.exif_orientation else "as stored"
    exact = f"v{PREPROCESS_VERSION} {config.profile} image_size={config.image_size} {upright}"
    return exact if precision == "exact" else f"{exact} {precision}"
