"""Which of a model's tags a caption has."""

from __future__ import annotations

import pytest

from wd14.caption.known_tags import KnownTagReader
from wd14.config import CaptionConfig
from wd14.types import Labels

LABELS = Labels(
    ("smile", "long_hair", "saber_(fate)", "rin_(fate)", "fate"),
    ("general", "general", "character", "character", "copyright"),
)


@pytest.mark.parametrize(
    ("parameters", "caption", "tags"),
    [
        ({}, r"Long Hair, SABER \(fate\)", {"long_hair", "saber_(fate)"}),
        # A style writes the series beside the whole name: that one is enough, also where a person took the series out.
        ({"caption_style": "animagine"}, r"saber \(fate\), smile", {"saber_(fate)", "smile"}),
        ({"caption_style": "animagine"}, "fate, smile", {"fate", "smile"}),
        # Of a name that is taken apart all parts are wanted: `saber` may be anybody's.
        ({"character_tag_expand": True}, "saber, smile", {"smile"}),
        ({"character_tag_expand": True}, "saber, fate", {"saber_(fate)", "fate"}),
        ({"character_tag_expand": True}, "rin_(fate)", {"rin_(fate)"}),
        ({"tag_replacement": "smile -> happy, smiling"}, "happy, long hair", {"long_hair"}),
    ],
)
def test_tags_are_found_as_the_options_write_them(parameters: dict[str, object], caption: str, tags: set[str]) -> None:
    found = KnownTagReader(LABELS, CaptionConfig.from_values(parameters))(caption).tags
    assert {LABELS.names[tag] for tag in found.tolist()} == tags
