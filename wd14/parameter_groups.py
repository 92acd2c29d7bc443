"""The headings under which the parameters are shown."""

from __future__ import annotations

from collections.abc import Mapping

#: Headings under which the panel, the command line's help and info.md show the parameters. What most people set comes
#: first.
GROUPS: Mapping[str, tuple[str, ...]] = {
    "Essentials": (
        *("generation_model", "custom_model", "thresh", "general_threshold", "character_threshold"),
        *("trigger_words", "purpose", "caption_style", "undesired_tags", "remove_underscore", "escape_parentheses"),
    ),
    "Which tags": (
        "threshold_mode",
        "category_thresholds",
        "tag_thresholds",
        "max_tags",
        "remove_implied_tags",
        "implications",
    ),
    "Several models": ("ensemble", "ensemble_votes"),
    "What the training is to learn": ("fold_tags", "keep_tags", "plan", "trainer"),
    "How they are written": (
        *("always_first_tags", "tag_replacement", "tag_order", "character_tags_first", "character_tag_expand"),
        *("rating", "quality", "caption_separator", "max_tokens", "append_tags", "edits", "caption_extension"),
    ),
    "Dataset that goes in": (
        *("image_field", "split", "keep_columns", "exif_orientation", "max_megapixels", "on_error", "follow_symlinks"),
    ),
    "Dataset that comes out": (
        *("output_dataset_name", "caption_column", "flatten_transparency", "include_scores", "review"),
        *("caption_files", "in_place"),
    ),
    "How it runs": (
        *("device", "precision", "batch_size", "max_data_loader_n_workers", "image_size", "profile"),
        *("cache", "cache_folder"),
    ),
}

#: Parameters that the command `scale` does not take, with why.
NOT_FOR_SCALE: Mapping[str, str] = {
    **dict.fromkeys(("ensemble", "ensemble_votes"), "a shard holds the scores of one model"),
    "in_place": "shards are written into OUTPUT",
    "output_dataset_name": "OUTPUT says where the result goes",
    "caption_column": "the shards call it caption",
    "review": "a review page is made of one dataset on this machine",
    "caption_files": "--format webdataset writes text files beside the pictures",
    "trainer": "a trainer's files are made of one dataset on this machine",
    "include_scores": "the shards always hold the scores",
    "cache": "the shards are the store of scores",
    "cache_folder": "the shards are the store of scores",
}

#: Parameters that the command `compare` does not take, with why.
NOT_FOR_COMPARE: Mapping[str, str] = {
    **dict.fromkeys(("ensemble", "ensemble_votes"), "two sets of parameters are compared for one model each"),
    **dict.fromkeys(("purpose", "fold_tags", "keep_tags", "plan"), "a plan is made of all pictures, not of a sample"),
    **dict.fromkeys(("append_tags", "edits", "caption_extension"), "what a model adds to captions is compared"),
    **dict.fromkeys(
        (
            *("keep_columns", "on_error", "output_dataset_name", "caption_column", "flatten_transparency"),
            *("include_scores", "review", "caption_files", "in_place", "trainer"),
        ),
        "nothing is written",
    ),
    **dict.fromkeys(("cache", "cache_folder"), "every picture is scored anew, and no score is stored"),
}
#: Parameters that say which pictures there are: the same for both sides of a comparison.
READING = ("image_field", "split", "max_megapixels", "follow_symlinks")
