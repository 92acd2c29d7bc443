from __future__ import annotations

import pytest

from wd14.model.trial.best_batch import best_batch


class Gpu:
    """A GPU that reaches so many pictures a second by batch; others do not fit."""

    def __init__(self, rates: dict[int, float]) -> None:
        self.rates = rates
        self.tried: list[int] = []

    def __call__(self, batch: int) -> float:
        self.tried.append(batch)
        if batch not in self.rates:
            raise MemoryError
        return self.rates[batch]


@pytest.mark.parametrize(
    ("rates", "best", "tried"),
    [
        pytest.param({64: 100, 32: 80}, 64, [64, 32], id="large ones gain, and others are not tried"),
        pytest.param({64: 100, 32: 99, 16: 98, 8: 60}, 16, [64, 32, 16, 8], id="of those as good, the smallest"),
        pytest.param({16: 50, 8: 55, 4: 40}, 8, [64, 32, 16, 8, 4], id="what does not fit is passed over"),
        pytest.param({1: 3}, 1, [64, 32, 16, 8, 4, 2, 1], id="only one picture fits"),
    ],
)
def test_the_fastest_batch_that_fits(rates: dict[int, float], best: int, tried: list[int]) -> None:
    gpu = Gpu(rates)
    assert best_batch(gpu) == (best, rates[best])
    assert gpu.tried == tried


def test_not_even_one_picture_fits() -> None:
    with pytest.raises(MemoryError):
        best_batch(Gpu({}))
