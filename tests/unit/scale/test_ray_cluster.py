"""What workers get of a Ray cluster where the user did not say."""

from __future__ import annotations

import pytest

from wd14.scale.engines import Resources
from wd14.scale.ray_cluster import Size, size_of_workers

LAPTOP = [{"CPU": 2.0}]
SERVER = [{"CPU": 96.0, "GPU": 8.0}]
CLUSTER = [{"CPU": 8.0, "GPU": 1.0}] * 3 + [{"CPU": 4.0}]


@pytest.mark.parametrize(
    ("nodes", "wanted", "size"),
    [
        (LAPTOP, Resources(), Size(1, 2, 0)),
        (LAPTOP, Resources(workers=2), Size(2, 1, 0)),
        (LAPTOP, Resources(workers=4), Size(4, 0.5, 0)),
        (SERVER, Resources(), Size(8, 12, 1)),
        (SERVER, Resources(gpus=0.5), Size(16, 6, 0.5)),
        (SERVER, Resources(gpus=0), Size(1, 96, 0)),
        (CLUSTER, Resources(), Size(3, 8, 1)),
        (CLUSTER, Resources(cpus=4), Size(3, 4, 1)),
        ([{}, {"CPU": 16.0}], Resources(workers=3), Size(3, 5, 0)),  # a head without cores
        (LAPTOP, Resources(gpus=1), Size(1, 2, 1)),  # for which there is no room
    ],
)
def test_a_worker_gets_a_gpu_or_a_node_unless_the_user_says_otherwise(
    nodes: list[dict[str, float]], wanted: Resources, size: Size
) -> None:
    assert size_of_workers(nodes, wanted, 1000) == size


def test_there_are_no_more_workers_than_shards() -> None:
    assert size_of_workers(SERVER, Resources(), 3).workers == 3
    assert size_of_workers(LAPTOP, Resources(workers=8), 2) == Size(2, 1, 0)


def test_room_is_counted_node_by_node() -> None:
    assert Size(1, 3, 0).room([{"CPU": 4.0}, {"CPU": 5.0}]) == 2  # and not 9 / 3
    assert Size(1, 1, 1).room(LAPTOP) == 0
    assert Size(1, 0.1, 0).room([{"CPU": 0.3}]) == 3
