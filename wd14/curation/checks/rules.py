"""The table of rules, in the order of their findings. docs/checks.md is the same table for people; a test compares."""

from __future__ import annotations

from wd14.curation.checks import caption_rules, dataset_rules, picture_rules, similar_rules
from wd14.curation.checks.rule import RowRule, Rule, SetRule

RULES: tuple[Rule, ...] = (
    RowRule(
        "unreadable-picture",
        "error",
        "A picture is missing, cannot be opened, or is damaged; or its caption file is no text in UTF-8, or over"
        " 1 MiB.",
        "Replace the file that is named, or take it out: trainers stop at it.",
        picture_rules.unreadable,
    ),
    RowRule(
        "no-caption",
        "error",
        "A picture has no caption, or an empty one.",
        "Write a caption, or take the picture out: kohya stops at an empty caption file, and without one it learns the"
        " picture under the folder's name.",
        caption_rules.no_caption,
    ),
    RowRule(
        "missing-trigger",
        "error",
        "A caption lacks a trigger word. A sentence may hold it.",
        "Put the trigger word first: what the picture shows is not tied to it otherwise.",
        caption_rules.missing_trigger,
    ),
    RowRule(
        "late-trigger",
        "warning",
        "A caption has its trigger words, but not first.",
        "Move it to the front, where shuffling (keep_tokens) and cutting off leave it alone.",
        caption_rules.late_trigger,
    ),
    SetRule(
        "unclear-trigger",
        "info",
        "No trigger word is known, 80 % or more of at least 10 captions begin with a word that is no tag, and this one"
        " does not.",
        "If that word is your trigger word, add it here; --trigger-words names it.",
        dataset_rules.unclear_trigger,
    ),
    RowRule(
        "several-lines",
        "warning",
        "A caption has more than one line.",
        "Put everything on one line: kohya reads the first one and drops the rest without a word.",
        caption_rules.several_lines,
    ),
    RowRule(
        "contradicting-tags",
        "warning",
        "Two tags of one sibling group that cannot both be right: two eye colours of one person, day and night. Not"
        " beside a tag that allows it, such as heterochromia.",
        "Look at the picture and keep the one that is right.",
        caption_rules.contradicting_tags,
    ),
    RowRule(
        "contradicting-numbers",
        "warning",
        "Two numbers of people, or solo beside more than one.",
        "Count, and keep the number that is right.",
        caption_rules.contradicting_numbers,
    ),
    SetRule(
        "rating-left-over",
        "warning",
        "A rating word, where the captions were made without; where that is not known, when fewer than half of the"
        " captions have one.",
        "Remove it from these captions, or give all captions one.",
        dataset_rules.left_over_ratings,
    ),
    RowRule(
        "negative-left-over",
        "warning",
        "A word that no caption should teach: watermark, signature, bad_anatomy.",
        "Crop or paint over what it names, and remove the word; or keep it, if the picture must stay as it is.",
        caption_rules.negatives,
    ),
    RowRule(
        "left-out-tag-is-back",
        "warning",
        "A caption has a tag that was folded, or is undesired.",
        "Remove it again: what the trigger word is to stand for is tied to this tag too.",
        caption_rules.back_again,
    ),
    RowRule(
        "implied-tag-is-back",
        "warning",
        "A caption has a tag that one of those left out implies: long_hair, where very_long_hair was folded.",
        "Leave out both or neither.",
        caption_rules.implied_again,
    ),
    SetRule(
        "identity-not-folded",
        "warning",
        "A trait is in 90 % or more of at least 10 captions (with purpose outfit: a part of the outfit). Only worth a"
        " look where neither purpose nor trigger word is known; nothing with purpose style.",
        "The trigger word learns what its captions leave out: fold it (--purpose, --fold-tags), or keep it to be able"
        " to change it in prompts.",
        dataset_rules.identifying_tags,
    ),
    RowRule(
        "too-few-tags",
        "warning",
        f"A caption has fewer than {caption_rules.FEWEST_TAGS} tags and no sentence.",
        "Say what else is to be seen: what no tag names becomes part of what is learned. A lower threshold gives more.",
        caption_rules.few_tags,
    ),
    RowRule(
        "too-many-tags",
        "warning",
        f"A caption has more than {caption_rules.MOST_TAGS} tags.",
        "Keep what you want to be able to change. A higher threshold, or --max-tags, gives fewer.",
        caption_rules.many_tags,
    ),
    RowRule(
        "too-many-tokens",
        "warning",
        "A caption has more tokens than were asked for; more than 75, where nobody said, is only worth a look.",
        "Give your trainer a higher limit (kohya: --max_token_length 150 or 225), or caption with --max-tokens: what is"
        " above the limit is cut off.",
        caption_rules.many_tokens,
        caption_rules.graded_by_request,
    ),
    SetRule(
        "unknown-tag",
        "warning",
        "A word is no tag of the model, and one letter or the order of its words makes it one. Words that resemble no"
        " tag are listed together, as worth a look.",
        "Correct the word, or leave it if it is your own.",
        dataset_rules.unknown_words,
    ),
    SetRule(
        "rare-tags",
        "info",
        "Tags in fewer than 2 % of at least 50 captions.",
        "Too rare to be learned. They do no harm; a wrong one among them does.",
        dataset_rules.rare_tags,
    ),
    SetRule(
        "same-picture",
        "warning",
        "Two or more files hold the same picture.",
        "Keep one: the others count as repeats of it.",
        similar_rules.same_pictures,
    ),
    SetRule(
        "different-captions",
        "warning",
        "The same picture has different captions.",
        "Keep one picture with the better caption.",
        similar_rules.different_captions,
    ),
    SetRule(
        "near-duplicates",
        "info",
        "Pictures are nearly the same, mirrored, or one is likely a part of the other.",
        "Keep the best of them, unless the difference is what you want to teach.",
        similar_rules.near_duplicates,
    ),
    RowRule(
        "small-picture",
        "warning",
        f"The short side has fewer than {picture_rules.SHORTEST_SIDE} pixels.",
        "Find a larger version, or enlarge it with an upscaler: trainers enlarge it plainly or leave it out.",
        picture_rules.small,
    ),
    RowRule(
        "blurred-picture",
        "warning",
        "A picture has no sharp edge, and no tag such as blurry says so.",
        "Find a sharper version, take it out, or add the tag blurry.",
        picture_rules.blurred,
    ),
    SetRule(
        "unbalanced-folders",
        "warning",
        "The training sees one folder less than half as often as the largest; repeats such as 10_name count. After"
        " a run with --trainer the repeats that it wrote count.",
        "Rename the folder to the repeats that balance it (kohya), or set them in the trainer's config.",
        dataset_rules.unbalanced_folders,
    ),
    RowRule(
        "doubtful-tag",
        "info",
        f"A caption has a tag that the stored scores put below {picture_rules.LOW_SCORE}.",
        "Look whether it is there: a wrong tag hurts more than a missing one.",
        picture_rules.doubtful_tags,
    ),
    RowRule(
        "missing-tag",
        "info",
        f"A caption of tags lacks a tag with a stored score of {picture_rules.HIGH_SCORE} or more, which reaches its"
        " threshold. Not traits and clothes, which may be folded, and not where a maximum was set.",
        "Add it if you want to be able to change what it names.",
        picture_rules.missing_tags,
    ),
)
