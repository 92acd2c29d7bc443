"""Which tags a tag implies by its own words: a `white_shirt` is a `shirt`.

A tag implies what its last words name. Letters do not count (`cathedral` and `cat`), nor do its first words (`hair_bow`
and `hair`).
"""

from __future__ import annotations

from collections.abc import Iterator

#: Words that negate the noun behind them (`no_humans`), or mention it without its being there (`unworn_hat`).
_NEGATIONS = frozenset(
    """
    no not non without unworn removed missing invisible hidden covered covering imminent implied incoming after before
    simulated fake faux mock blowing stuffed toy spoken alternate adapted looking cropped print
    """.split()  # noqa: SIM905 - so many quoted words are hard to read
)

#: The words behind a preposition say where or with what, which need not be in the picture: `cutout_above_navel`.
_PREPOSITIONS = frozenset(
    """
    above across against and around as at behind between by for from in into like of off on onto or out over past the
    through to towards under with vs
    """.split()  # noqa: SIM905 - so many quoted words are hard to read
)

#: Tags that are not what their last word names. Gathered from all 3,663 pairs of wd-v3's general tags.
_MISNOMERS = frozenset(
    """
    adam's_apple boy_sandwich girl_sandwich breast_curtains bunny_day butt_crack candy_cane cat_day champagne_flute
    chat_log crotch_plate cum_pool cum_string diffraction_spikes dollar_sign dust_cloud dynamax_band eighth_note
    ferris_wheel finger_gun heart_lock hot_dog ice_cream koishi_day license_plate m_legs magnifying_glass maid_day
    miku_day mobile_suit monster_energy musical_note nose_bubble ok_sign paper_airplane pectoral_cleavage pocky_day
    prone_bone pussy_juice quarter_note red_panda sand_castle scoop_neck shotgun_shell sixteenth_note skin_fang
    skin_fangs snow_rabbit speech_bubble stained_glass swim_ring team_rocket teddy_bear thought_bubble toe_cleavage
    twintails_day vaulting_horse water_gun white_day wrestling_ring
    """.split()  # noqa: SIM905 - so many quoted words are hard to read
)


def implied_by_words(name: str) -> Iterator[str]:
    """The tags that a tag implies, longest first: `long_white_shirt` a `white_shirt` and a `shirt`.

    Whether a model has them is not asked.
    """
    words = name.split("_")
    for cut in range(1, len(words)):
        if _is_kind_of_last_words(words, cut):
            yield "_".join(words[cut:])


def _is_kind_of_last_words(words: list[str], cut: int) -> bool:
    """Whether a tag of these words is a kind of what its words from `cut` on name."""
    for word in words[:cut]:
        if word in _NEGATIONS or word in _PREPOSITIONS or word.startswith(("non-", "un-")):
            return False
    return not any("_".join(words[start:]) in _MISNOMERS for start in range(cut))
