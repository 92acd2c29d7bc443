"""What hypothesis draws: tag names as the models have them, labels, scores and captions. One file for all tests."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

from wd14.types import Labels

#: Real tags that break naive parsers: the seven with `;`, the five with a backslash, faces, quotes, wildcards.
AWKWARD_TAGS = (
    *(";d", ";)", ";o", ";p", ";q", ";3", ";("),
    *("\\m/", "\\o/", "\\n/", "\\||/", "double_\\m/"),
    *("?", "??", "!?", "...?", "^_^", ">_<", "<o>_<o>", "<|>_<|>", "|_|", "^^^", ":<", ">:)"),
    *('don\'t_say_"lazy"', "kanshou_&_bakuya_(fate)", "ranma_1/2", "1990s_(style)", "la+_darknesss", "2021"),
)
PLAIN_TAGS = (
    *("1girl", "solo", "long_hair", "very_long_hair", "white_background", "simple_background", "shirt", "white_shirt"),
    *("cat", "cathedral", "ring", "earrings", "bow", "elbow_gloves", "no_humans", "humans", "star_(symbol)"),
)
CHARACTER_TAGS = (
    *("saber_(fate)", "astolfo_(fate)", "byleth_(female)_(fire_emblem)", "gawr_gura", "gawr_gura_(1st_costume)"),
    *("puru-see_(hoshizuki_(seigetsu))", "hatsune_miku", "bloop_(gawr_gura)", "boo_(mario)"),
)
RATINGS = ("general", "sensitive", "questionable", "explicit")
SEPARATORS = (", ", ",", "; ", ";", " | ", "\n", " ", "_")

#: Texts that a list or a pair can hold: no line ends, no blanks around them.
texts = st.text(
    st.one_of(st.sampled_from("ab1_ ;,\\->()'\"[]{}*?:"), st.characters(exclude_categories=("C", "Z"))), min_size=1
).map(str.strip)
#: Names as Danbooru allows them: no blank or underscore at an end, and never two in a row.
made_up_tags = st.from_regex(r"[abc1()'*?;:\\^-]{1,4}(_[abc1()'*?;:\\^-]{1,3}){0,2}", fullmatch=True)
tag_names = st.one_of(st.sampled_from(PLAIN_TAGS), st.sampled_from(AWKWARD_TAGS), made_up_tags)


def spelled_alike(name: str) -> str:
    """What two tags must not share to be two tags: the name without case, escapes and the kind of its blanks."""
    return "_".join(name.replace("\\(", "(").replace("\\)", ")").replace("_", " ").split()).casefold()


@st.composite
def spellings(draw: st.DrawFn, name: str) -> str:
    """One of the ways in which people write a tag."""
    if draw(st.booleans()):
        name = name.replace("_", " ")
    if draw(st.booleans()) and "\\" not in name:
        name = name.replace("(", "\\(").replace(")", "\\)")
    if draw(st.booleans()):
        name = name.upper() if name.upper().casefold() == name.casefold() else name
    return draw(st.sampled_from(["", " "])) + name + draw(st.sampled_from(["", " "]))


@st.composite
def labels(draw: st.DrawFn) -> Labels:
    """A small model's tags: ratings, general tags, characters; in kohya's order or in a mapping's."""
    general = draw(st.lists(tag_names, min_size=1, max_size=8, unique_by=spelled_alike))
    taken = {spelled_alike(name) for name in (*general, *RATINGS)}
    general = [name for name in general if spelled_alike(name) not in map(spelled_alike, RATINGS)]
    characters = draw(st.lists(st.sampled_from(CHARACTER_TAGS), max_size=5, unique=True))
    characters = [name for name in characters if spelled_alike(name) not in taken]
    ratings = draw(st.sampled_from([(), RATINGS]))
    names = (*ratings, *general, *characters)
    categories = ("rating",) * len(ratings) + ("general",) * len(general) + ("character",) * len(characters)
    return Labels(names, categories, order=draw(st.sampled_from(["model", "score"])))


def scores(count: int) -> st.SearchStrategy[NDArray[np.float32]]:
    """A picture's scores, two digits each, so that ties happen."""
    digits = st.integers(0, 100).map(lambda hundredths: np.float32(hundredths / 100))
    return st.lists(digits, min_size=count, max_size=count).map(lambda row: np.array(row, np.float32))
