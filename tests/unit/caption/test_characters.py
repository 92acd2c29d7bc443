"""Series and costumes: names from wd-v3's list, told apart by hand."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from wd14.caption.characters import CharacterExpander, split_group
from wd14.types import Labels

WITH_SERIES = {
    "saber_(fate)": ("saber", "fate"),
    "bb_(fate/extra)": ("bb", "fate/extra"),
    "2b_(nier:automata)": ("2b", "nier:automata"),
    "artoria_pendragon_(swimsuit_ruler)_(fate)": ("artoria_pendragon_(swimsuit_ruler)", "fate"),
    "miyamoto_musashi_(swimsuit_berserker)_(second_ascension)_(fate)": (
        "miyamoto_musashi_(swimsuit_berserker)_(second_ascension)",
        "fate",
    ),
    "byleth_(female)_(fire_emblem)": ("byleth_(female)", "fire_emblem"),
    "puru-see_(hoshizuki_(seigetsu))": ("puru-see", "hoshizuki_(seigetsu)"),
    "ib_(ib)": ("ib", "ib"),
    "boo_(mario)": ("boo", "mario"),
    "nekomusume_(gegege_no_kitarou_6)": ("nekomusume", "gegege_no_kitarou_6"),
    "felicia_(vampire)": ("felicia", "vampire"),
}
WITHOUT_SERIES = (
    *("gawr_gura_(1st_costume)", "sakura_miko_(casual)", "konpaku_youmu_(ghost)", "phosphophyllite_(ll)"),
    *("fu_hua_(herrscher_of_sentience)", "hatsune_miku_(append)", "hakurei_reimu_(pc-98)", "seele_(alter_ego)"),
    *("fujimaru_ritsuka_(female)", "fujimaru_ritsuka_(female)_(polar_chaldea_uniform)", "bloop_(gawr_gura)"),
    *("black_rock_shooter_(character)", "shigure_ui_(vtuber)", "ado_(utaite)", "hatsune_miku", "someone_(3rd_costume)"),
)
#: Characters without a group, which tell that the group of another is a costume.
BASES = (
    *("gawr_gura", "sakura_miko", "konpaku_youmu", "phosphophyllite", "fu_hua", "hakurei_reimu", "mario"),
    "nekomusume",
)
NAMES = (*WITH_SERIES, *WITHOUT_SERIES, *BASES)


def parts_of(names: Sequence[str], categories: Sequence[str]) -> dict[str, tuple[str, ...]]:
    return dict(zip(names, CharacterExpander(Labels(tuple(names), tuple(categories))).parts(), strict=True))


def test_a_series_becomes_a_tag_of_its_own_and_a_costume_stays_with_the_name() -> None:
    expected = WITH_SERIES | {name: (name,) for name in (*WITHOUT_SERIES, *BASES)}
    assert parts_of(NAMES, ["character"] * len(NAMES)) == expected


def test_groups_that_are_never_a_series() -> None:
    groups = (
        "costume outfit uniform swimsuit ascension cosplay dress form ver ver. style 1st_costume 2nd_form 3rd_style"
    )
    groups += (
        " 4th_ver. school_uniform ver._2 swimsuit_archer character person creature object vtuber utaite male female"
    )
    groups += " alter alter_ego young old child adult casual summer winter spring autumn new_year halloween christmas"
    groups += (
        " valentine bunny maid school idol bride wedding pajamas kimono yukata streetwear work sailor second third"
    )
    names = [f"someone_({group})" for group in groups.split()]
    assert parts_of(names, ["character"] * len(names)) == {name: (name,) for name in names}
    assert parts_of(["a_(maiden)"], ["character"]) == {"a_(maiden)": ("a", "maiden")}


def test_general_tags_are_not_expanded() -> None:
    assert parts_of(["star_(symbol)"], ["general"]) == {"star_(symbol)": ("star_(symbol)",)}


def test_a_copyright_tag_of_the_model_is_a_series_whatever_else_it_is() -> None:
    parts = parts_of(["a_(casual)", "b_(hero)", "hero", "casual"], ["character"] * 3 + ["copyright"])
    assert parts["a_(casual)"] == ("a", "casual")
    assert parts["b_(hero)"] == ("b_(hero)",)


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("a_(b)", ("a", "b")),
        ("a (b)", ("a", "b")),
        ("a_(b)_(c)", ("a_(b)", "c")),
        ("a_(b_(c))", ("a", "b_(c)")),
        ("a(b)", ("a", "b")),
        ("a", None),
        ("(a)", None),
        ("a_()", None),
        (";)", None),
        ("a)", None),
        ("a_(b", None),
    ],
)
def test_the_last_group_with_its_nested_parentheses(name: str, found: tuple[str, str] | None) -> None:
    assert split_group(name) == found
