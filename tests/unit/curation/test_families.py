"""What kind of tag a tag is. The expectations are a LoRA maker's, written down without a look at the tables."""

from __future__ import annotations

import pytest

from wd14.curation.families import (
    IDENTITY_FAMILIES,
    exclude_each_other,
    family_of,
    group,
    group_of,
    groups_of,
    is_count,
    is_negative,
    is_outfit_part,
    is_state,
    is_trait,
)

TRAITS = {
    "hair": (
        "blonde_hair light_blue_hair gradient_hair very_long_hair hime_cut twintails ahoge braided_ponytail "
        "beard sidelocks"
    ),
    "eyes": "blue_eyes heterochromia slit_pupils black_sclera tsurime thick_eyebrows hikimayu long_eyelashes third_eye",
    "skin": "dark_skin blue_skin freckles mole_under_eye scar_across_eye facial_mark arm_tattoo",
    "body": (
        "flat_chest huge_breasts muscular_male tall_female fangs sharp_teeth claws extra_arms prosthetic_arm "
        "mature_female"
    ),
    "ears": "animal_ears fox_ears pointy_ears robot_ears fennec_fox_ears",
    "tail": "tail cat_tail dragon_tail multiple_tails white_tail",
    "horns": "horns demon_horns single_horn red_horns antlers",
    "wings": "wings angel_wings black_wings head_wings",
    "halo": "halo blue_halo",
    "species": "cat_girl elf mermaid vampire robot furry_male",
}
STATES = (
    "wet_hair adjusting_hair cutting_hair brushing_another's_hair floating_hair hair_over_eyes "
    "hair_behind_ear tying_hair "
    "hand_in_own_hair playing_with_own_hair alternate_hair_color closed_eyes half-closed_eyes "
    "one_eye_closed covering_own_eyes "
    "rolling_eyes empty_eyes glowing_eyes heart-shaped_eyes shading_eyes shiny_skin sweat bruise "
    "bandaid_on_face blood_on_face "
    "aged_down tongue_out bouncing_breasts tail_wagging no_tail ears_down spread_wings fake_animal_ears "
    "fake_tail hair_ribbon "
    "hairclip star_hair_ornament wet_clothes torn_pantyhose unworn_hat open_jacket nude barefoot no_panties"
)
OTHERS = {
    "clothes": (
        "white_dress school_uniform black_thighhighs beret red_bowtie earrings glasses eyepatch maid fur-trimmed_coat"
    ),
    "pose": (
        "sitting looking_at_viewer arms_up holding_sword hand_on_own_hip skirt_lift hug sitting_on_chair holding_hat"
    ),
    "expression": "smile open_mouth blush angry :d ^_^ v-shaped_eyebrows tears",
    "scene": "outdoors simple_background blue_sky night classroom cherry_tree rain striped_background",
    "camera": "upper_body from_above cowboy_shot dutch_angle depth_of_field multiple_views",
    "count": "1girl 6+boys multiple_others solo no_humans 8girls",
    "style": "monochrome sketch watercolor_(medium) 1990s_(style) traditional_media",
    "meta": "comic 2023 parody speech_bubble censored voice_actor_connection",
    "body_part": "collarbone cleavage navel thighs",
    "object": "sword cat cherry_blossoms cake motorcycle open_book",
    "negative": (
        "watermark signature artist_name english_text twitter_username bad_anatomy worst_quality lowres jpeg_artifacts"
    ),
}


@pytest.mark.parametrize(("family", "tags"), TRAITS.items())
def test_traits(family: str, tags: str) -> None:
    assert family in IDENTITY_FAMILIES
    assert {tag: (family_of(tag), is_trait(tag), is_state(tag)) for tag in tags.split()} == dict.fromkeys(
        tags.split(), (family, True, False)
    )


def test_passing_states_are_no_traits_and_no_outfit() -> None:
    states = STATES.split()
    assert [tag for tag in states if is_trait(tag) or is_outfit_part(tag) or not is_state(tag)] == []


@pytest.mark.parametrize(("family", "tags"), OTHERS.items())
def test_what_is_neither(family: str, tags: str) -> None:
    found = {tag: family_of(tag) for tag in tags.split()}
    assert found == dict.fromkeys(tags.split(), family)
    assert [tag for tag in found if is_trait(tag) or is_state(tag)] == []
    assert [tag for tag in found if is_outfit_part(tag)] == (tags.split() if family == "clothes" else [])
    assert [tag for tag in found if is_negative(tag)] == (tags.split() if family == "negative" else [])


def test_an_unknown_tag_is_nothing() -> None:
    """Also where it looks like a trait: what is folded by mistake is lost to the LoRA."""
    for tag in ("braiding_someones_hair", "ohitorisama", "", "hatsune_miku"):
        assert (family_of(tag), group_of(tag)) == (None, None)
        assert not any(is_so(tag) for is_so in (is_trait, is_state, is_negative, is_outfit_part))


def test_any_spelling() -> None:
    assert family_of("Long Hair") == family_of("long_hair") == "hair"
    assert family_of(r"watercolor \(medium\)") == "style"
    assert is_state("half-closed eyes")
    assert is_negative("Worst Quality")
    assert group_of("BLUE eyes") == "eye_colour"
    assert exclude_each_other("Blue Hair", "red_hair")


def test_counts() -> None:
    counts = "1girl 2girls 6+girls 1boy 12boys 3others multiple_girls multiple_boys"
    assert all(map(is_count, [*counts.split(), "multiple girls"]))
    assert not any(map(is_count, ["solo", "no_humans", "magical_girl", "girls", "girl_on_top", "1girls_night"]))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("blue_eyes", "aqua_eyes"),
        ("black_hair", "brown_hair"),
        ("short_hair", "very_long_hair"),
        ("large_breasts", "flat_chest"),
        ("dark_skin", "pale_skin"),
        ("dark_skin", "blue_skin"),
        ("cat_ears", "fox_ears"),
        ("1girl", "2girls"),
        ("solo", "2girls"),
        ("solo", "multiple_boys"),
        ("multiple_girls", "1girl"),
        ("indoors", "outdoors"),
        ("white_background", "outdoors"),
        ("day", "night"),
        ("open_mouth", "closed_mouth"),
    ],
)
def test_siblings_exclude_each_other(one: str, other: str) -> None:
    assert exclude_each_other(one, other)
    assert exclude_each_other(other, one)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("blue_hair", "blue_hair"),
        ("blue_hair", "light_blue_hair"),
        ("long_hair", "absurdly_long_hair"),
        ("blue_hair", "blue_eyes"),
        ("multiple_girls", "2girls"),
        ("1girl", "1boy"),
        ("solo", "1girl"),
        ("simple_background", "white_background"),
        ("sunset", "evening"),
        ("colored_skin", "blue_skin"),
        ("twintails", "smile"),
    ],
)
def test_what_goes_together(one: str, other: str) -> None:
    assert not exclude_each_other(one, other)


def test_groups() -> None:
    assert group_of("hair_between_eyes") is None
    assert groups_of("solo") == ("number_of_girls", "number_of_boys", "number_of_others")
    assert (group("eye_colour").scope, group("time_of_day").scope) == ("person", "picture")
    assert "heterochromia" in group("eye_colour").mixers
    assert "multicolored_hair" in group("hair_colour").mixers
    assert group_of("heterochromia") is None
