"""The plan as a person reads it."""

from __future__ import annotations

import pytest

from tests.support.planted_set import planted, study_of
from wd14.curation.plan import Decision, Plan
from wd14.curation.plan_lines import plan_lines
from wd14.curation.planning import make_plan
from wd14.text import WIDTH


def test_the_table() -> None:
    plan = make_plan(study_of(planted()), purpose="character", trigger_words=["mychar"], keep_tags=["smile"])
    assert list(plan_lines(plan)) == [
        "Plan for the purpose character, trigger word mychar: 60 pictures.",
        "",
        "Folded: left out, the trigger word stands for them (5)",
        "  tag              family  pictures  share  lift  why",
        "  blue_hair        hair          55   91 %  9.39  the trigger word stands for it",
        "  long_hair        hair          55   91 %  1.82  the trigger word stands for it",
        "  red_eyes         eyes          55   91 %        the trigger word stands for it",
        "  halo             halo          54   90 %  37.9  the trigger word stands for it",
        "  light_blue_hair  hair          10   16 %        the same hair colour as blue_hair",
        "",
        "Dropped: left out (2)",
        "  tag                   family     pictures  share  lift  why",
        "  arona_(blue_archive)  character        55   91 %        the trigger word names it, the series sta…",
        "  watermark             negative          4    6 %        no caption should teach it",
        "",
        "Contradictions: left out of these pictures only (2)",
        "  tag        family  pictures  share  lift  why",
        "  pink_eyes  eyes           2               it contradicts red_eyes (on 55)",
        "  red_hair   hair           1               it contradicts blue_hair (on 55)",
        "",
        "Ask: they stay; fold_tags, or the edited plan, folds them (1)",
        "  tag            family     pictures  share  lift  why",
        "  kaname_madoka  character         5    8 %        another character, or a wrong guess; it stays",
        "",
        "Kept (1)",
        "  tag    family      pictures  share  lift  why",
        "  smile  expression        59   98 %        you keep 'smile'",
        "",
        "lift = how many times as often as in all pictures that the model learned from",
        "",
        "Pictures that differ from the set (6); the first ones are often the wrong pictures",
        "  p055.png  lacks blue_hair, long_hair, red_eyes and 1 more; has kaname_madoka, red_hair, short_hair",
        "  p056.png  lacks blue_hair, long_hair, red_eyes and 1 more; has kaname_madoka, red_hair, short_hair",
        "  p057.png  lacks blue_hair, long_hair, red_eyes and 1 more; has kaname_madoka, red_hair, short_hair",
        "  p058.png  lacks blue_hair, long_hair, red_eyes and 1 more; has kaname_madoka, red_hair, short_hair",
        "  p059.png  lacks blue_hair, long_hair, red_eyes and 1 more; has kaname_madoka, red_hair, short_hair",
        "  p007.png  lacks halo",
    ]


@pytest.mark.parametrize("number", [60, 300])
def test_it_stays_short_and_safe_to_show(number: int) -> None:
    long = Decision(tag="x" * 300, decision="folded", reason="y" * 900, rows=7, frequency=0.5, lift=1.5)
    odd = Decision(tag="\x1b[31mred", decision="folded", family="z" * 90)
    plan = Plan(purpose="style", decisions=(odd, *[long] * number), notes=("word " * 100,))
    lines = list(plan_lines(plan))
    assert max(map(len, lines)) <= WIDTH
    assert f"  … {number - 19} more in plan.json" in lines
    assert not any("\x1b" in line for line in lines)
    assert len(lines) < 40


def test_a_plan_that_leaves_nothing_out() -> None:
    assert list(plan_lines(Plan(pictures=1))) == ["Plan without a purpose: 1 picture.", "Nothing is left out."]
