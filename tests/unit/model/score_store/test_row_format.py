"""The bytes of a row: what comes back is what was kept, whichever of the two layouts is shorter."""

from __future__ import annotations

import numpy as np
import pytest

from wd14.model.score_store.row_format import pack, unpack

PICTURE = bytes(range(32))


@pytest.mark.parametrize("tags", [1, 3, 6, 300, 1 << 16, (1 << 16) + 1])
@pytest.mark.parametrize("share", [0.0, 0.1, 2 / 3, 1.0])
def test_chosen_scores_come_back(tags: int, share: float) -> None:
    """At two thirds both layouts are equally long, and only one of them may be meant."""
    scores = np.linspace(0.02, 0.98, tags, dtype=np.float32)
    chosen = np.arange(tags) >= tags - round(share * tags)  # the last one needs the largest index
    packed = pack(scores, PICTURE, chosen)
    assert len(packed) <= 4 + 4 * tags
    found = unpack(packed, PICTURE, tags)
    assert found is not None
    assert np.array_equal(found, np.where(chosen, scores, np.float32(0)))


def test_another_pictures_row_is_none() -> None:
    scores = np.array([0.5, 0.25, 0.125], np.float32)
    packed = pack(scores, PICTURE, np.array([True, False, False]))
    assert unpack(packed, bytes(32), 3) is None
    assert unpack(packed[:-1], PICTURE, 3) is None
