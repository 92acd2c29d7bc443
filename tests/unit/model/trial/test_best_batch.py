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
        pytest.param({1: 10, 2: 20, 4: 35, 8: 50, 16: 60, 32: 70, 64: 80, 128: 90}, 64, 7, id="as many as are tried"),
        pytest.param({1: 10, 2: 20, 4: 20.5, 8: 90}, 2, 3, id="of two that are as good, the smaller"),
        pytest.param({1: 10, 2: 20, 4: 35}, 4, 4, id="as many as fit"),
        pytest.param({1: 3}, 1, 2, id="only one fits"),
    ],
)
def test_the_fastest_batch_that_fits(rates: dict[int, float], best: int, tried: int) -> None:
    gpu = Gpu(rates)
    assert best_batch(gpu) == (best, rates[best])
    assert len(gpu.tried) == tried


def test_not_even_one_picture_fits() -> None:
    with pytest.raises(MemoryError):
        best_batch(Gpu({}))
