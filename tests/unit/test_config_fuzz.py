"""Whatever values a job has: a config, or a ConfigError that a person can read."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.support.tally import tally
from wd14.config import CaptionConfig
from wd14.errors import ConfigError

KEYS = sorted(CaptionConfig.model_fields)

#: Texts that mean something somewhere: to the parsers, to Python, to the system.
LOADED = st.sampled_from(
    (
        *("", " ", "None", "True", "false", "nan", "inf", "-inf", "1e400", "0x10", "1_0", "٣", "-0.0", "0.35", "1,5"),
        *(
            "a->b",
            "->",
            "a,b;c",
            "\\",
            "\\,",
            ";;",
            "off",
            "a=off",
            "=1",
            "a=1=2",
            "['a', 'b']",
            "{'a': 'b'}",
            "[",
            "]",
        ),
        *("[" * 3000, "9" * 5000, "~nobody-of-that-name/x", "../x", "a/b", "a\0b", "\udcff", "\x1b[31m", "\u202e", "."),
    )
)
TEXT = st.one_of(LOADED, st.text(max_size=30), st.text(alphabet="[](){}'\",;:=->\\ \n0a*", max_size=20))
LEAVES = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), TEXT, st.just(10**400), st.binary(max_size=5))
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(TEXT, inner, max_size=4)),
    max_leaves=8,
)
JOBS = st.dictionaries(st.one_of(st.sampled_from(KEYS), st.text(max_size=10)), VALUES, max_size=6)


def config_or_error(values: dict[Any, Any]) -> CaptionConfig | ConfigError:
    """What becomes of a job's values; nothing else may be raised."""
    tally("job configs fuzzed")
    try:
        return CaptionConfig.from_values(values)
    except ConfigError as error:
        return error


def check(values: dict[Any, Any]) -> None:
    made = config_or_error(values)
    if isinstance(made, ConfigError):
        lines = str(made).splitlines()
        assert lines
        assert all(len(line) < 2000 for line in lines), "a message is for reading"
        return
    # Whatever was taken can be used and written down.
    assert made.cache_path is None or made.cache_path.name is not None
    assert math.isfinite(made.max_megapixels * 1e6)
    assert 0 <= made.threshold_for("general") <= 2
    assert 0 <= made.threshold_for("copyright") <= 2
    json.dumps({key: str(value) for key, value in made.model_dump().items()})


@given(JOBS)
@settings(max_examples=300, deadline=None)
@example({"max_megapixels": "inf"})
@example({"category_thresholds": {"copyright": 10**400}})
@example({"cache_folder": "~nobody-of-that-name/x"})
@example({"output_dataset_name": "a\0b"})
@example({"thresh": "9" * 5000})
@example({"category_thresholds": "\udcff"})
@example({"max_megapixels": "1e308"})
def test_any_values_give_a_config_or_say_why_not(values: dict[Any, Any]) -> None:
    check(values)


@pytest.mark.long
@given(JOBS)
@settings(max_examples=20_000, deadline=None)
def test_any_values_many_times(values: dict[Any, Any]) -> None:
    check(values)


@given(JOBS)
@settings(max_examples=100, deadline=None)
def test_a_config_that_is_written_down_can_be_read_again(values: dict[Any, Any]) -> None:
    """A saved task is loaded from what its config was written as."""
    made = config_or_error(values)
    if isinstance(made, CaptionConfig):
        again = CaptionConfig.from_values(made.model_dump())
        assert again == made
