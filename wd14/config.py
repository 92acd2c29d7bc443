"""The parameters: one frozen model holds their types, defaults, bounds, help texts and groups.

The panel (index.json), the command line's options, info.md's table and task.yaml are made from it: after a change run
`scripts/generate`.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, field_validator, model_validator
from pydantic.fields import FieldInfo

from wd14.config_words import explain, shown
from wd14.errors import ConfigError
from wd14.parsing import parse_list, parse_pairs, parse_thresholds

DEFAULT_MODEL = "SmilingWolf/wd-v1-4-convnext-tagger-v2"
BUILTIN_MODEL = "builtin/colours"

TagList = Annotated[tuple[str, ...], BeforeValidator(parse_list)]
TagPairs = Annotated[tuple[tuple[str, str], ...], BeforeValidator(parse_pairs)]
Thresholds = Annotated[dict[str, float], BeforeValidator(parse_thresholds)]


def _unescape(value: Any) -> Any:
    r"""A one-line form field cannot hold a line end or a tab: `\\n` and `\\t` stand for them."""
    return value.replace("\\n", "\n").replace("\\t", "\t") if isinstance(value, str) else value


def _field(default: Any, title: str, help_text: str, **more: Any) -> Any:
    """A parameter: `more` holds bounds, and under `widget` and `panel` what only the host's form needs."""
    extra: dict[str, Any] = {key: more.pop(key) for key in ("widget", "panel") if key in more}
    return Field(default, title=title, description=help_text, json_schema_extra=extra, **more)


_TEXTAREA = "textarea"
_RADIO = "radio"


#: Headings under which the command line's help and info.md show the parameters.
GROUPS: Mapping[str, tuple[str, ...]] = {
    "Model": ("generation_model", "custom_model", "device", "batch_size", "max_data_loader_n_workers"),
    "Which tags": (
        *("thresh", "general_threshold", "character_threshold", "category_thresholds", "threshold_mode", "max_tags"),
        *("undesired_tags", "remove_implied_tags", "implications"),
    ),
    "How they are written": (
        *("trigger_words", "always_first_tags", "remove_underscore", "escape_parentheses", "caption_separator"),
        *("tag_order", "character_tags_first", "character_tag_expand", "tag_replacement", "rating", "quality"),
        "append_tags",
    ),
    "Dataset that goes in": (
        *("image_field", "split", "keep_columns", "follow_symlinks", "exif_orientation", "max_megapixels", "on_error"),
        *("image_size", "profile"),
    ),
    "Dataset that comes out": (
        *("output_dataset_name", "flatten_transparency", "include_scores", "caption_files", "caption_extension"),
        "in_place",
    ),
    "Stored scores": ("cache", "cache_folder"),
}


class CaptionConfig(BaseModel):
    """What a user can set. Accepts the host's strings (`'0.35'`, `'True'`, `''`, `'None'`) and typed values alike.

    An empty value or `'None'` is the parameter's default, or None where a parameter may be left empty. Keys that
    are not parameters are ignored: the host's form sends other plugins' too.

    Build one with `CaptionConfig.from_values`, whose errors are written for a person.
    """

    model_config = ConfigDict(frozen=True, extra="ignore", str_strip_whitespace=False)

    # The documented plugin's parameters: keys and order are fixed, saved tasks rely on them.
    image_field: str = _field("image", "Image Field", "Column of the dataset that holds the pictures.")
    thresh: float = _field(
        0.35, "Tag Confidence Threshold", "A tag is kept when its score is at least this.", ge=0, le=1
    )
    general_threshold: float | None = _field(
        None,
        "General Threshold",
        "Threshold for general tags. Empty = the tag confidence threshold.",
        ge=0,
        le=1,
    )
    character_threshold: float | None = _field(
        0.85,
        "Character Threshold",
        "Threshold for character tags. High by default: a wrong name is worse than none.",
        ge=0,
        le=1,
    )
    generation_model: str = _field(
        DEFAULT_MODEL, "ONNX Model Variant", "The tagger. It is downloaded once.", widget="model"
    )
    batch_size: int | None = _field(
        None,
        "Batch Size",
        "Pictures that go through the model at once. Empty = what suits the device.",
        ge=1,
        le=512,
    )
    image_size: int = _field(
        0,
        "Image Resize",
        "Shrink the shorter side to this many pixels before tagging; never enlarges. 0 = do not shrink.",
        ge=0,
        le=16384,
    )
    caption_separator: Annotated[str, BeforeValidator(_unescape)] = _field(
        ", ", "Caption Separator", "Text between two tags of a caption. \\n is a line end."
    )
    max_data_loader_n_workers: int | None = _field(
        None,
        "Max Dataloader Workers",
        "Threads that open and resize pictures. Empty = what suits the machine. 0 = none of their own.",
        ge=0,
        le=256,
    )
    output_dataset_name: str = _field(
        "", "Output Dataset Name", "Name of the new dataset. Empty = the source's name with _captions."
    )

    # Which tags
    threshold_mode: Literal["fixed", "model", "mcut"] = _field(
        "fixed",
        "Threshold Mode",
        "fixed = the thresholds that you set; model = the one that its author published;"
        " mcut = found for each picture, where its scores fall most (maximum cut).",
        widget=_RADIO,
    )
    category_thresholds: Thresholds = _field(
        {},
        "Thresholds by Category",
        "Thresholds for other categories, which some models have: copyright=0.5, artist=0.4, meta=off.",
        validate_default=True,
    )
    max_tags: int = _field(
        0, "Maximum Number of Tags", "Keep this many tags, those with the best scores. 0 = all.", ge=0, le=10000
    )
    undesired_tags: TagList = _field(
        (),
        "Undesired Tags",
        "Tags to leave out, separated by commas or lines, in any spelling (long_hair, long hair). Wildcards: * and ?.",
        widget=_TEXTAREA,
    )
    remove_implied_tags: bool = _field(
        False, "Remove Implied Tags", "Leave out what another tag already says: long_hair beside very_long_hair."
    )
    implications: str = _field(
        "", "Implication Table", "CSV file of more implications, one a line: tag,implied tag. Empty = none."
    )

    # How they are written
    rating: Literal["none", "first", "last"] = _field(
        "none", "Rating", "Add the picture's rating (general, sensitive, …) to the caption.", widget=_RADIO
    )
    quality: Literal["none", "first", "last"] = _field(
        "none", "Quality", "Add the picture's quality tag, where the model has quality tags.", widget=_RADIO
    )
    tag_order: Literal["model", "score", "alphabetical"] = _field(
        "model",
        "Tag Order",
        "model = as in the model's own list, general before characters; score = best first; or alphabetical.",
        widget=_RADIO,
    )
    character_tags_first: bool = _field(False, "Characters First", "Put character tags before general tags.")
    always_first_tags: TagList = _field(
        (),
        "Always First Tags",
        "Tags that open the caption of a picture that has them, in the order given here.",
        widget=_TEXTAREA,
    )
    trigger_words: TagList = _field(
        (),
        "Trigger Words",
        "Words that open every caption: what you will write in a prompt to call up what you trained.",
        widget=_TEXTAREA,
    )
    remove_underscore: bool = _field(
        False, "Underscores to Spaces", "long_hair becomes long hair; emoticons such as ^_^ stay as they are."
    )
    escape_parentheses: bool = _field(
        False, "Escape Parentheses", "Write \\( and \\), as prompts for Stable Diffusion need it."
    )
    character_tag_expand: bool = _field(
        False, "Expand Character Tags", "name_(series) becomes name, series. Costumes stay with the name."
    )
    tag_replacement: TagPairs = _field(
        (),
        "Tag Replacement",
        "One replacement a line: source -> target. An empty target removes the tag.",
        widget=_TEXTAREA,
    )
    append_tags: bool = _field(
        False,
        "Append to Captions",
        "Keep the caption that a picture has (in a caption column or a .txt beside it) and add the tags that it lacks.",
    )

    # What comes in
    split: str = _field("", "Split", "Split to read. Empty = train, or else the first one; all = every split.")
    keep_columns: bool = _field(False, "Keep Columns", "Keep the other columns of the dataset.")
    follow_symlinks: bool = _field(
        False, "Follow Links", "Follow links and absolute paths that lead out of the dataset's folder."
    )
    exif_orientation: bool = _field(
        True, "Apply Orientation", "Turn photographs upright before tagging, as every viewer shows them."
    )
    max_megapixels: float = _field(
        250,
        "Largest Picture",
        "Pictures of more megapixels than this fail instead of filling the memory.",
        ge=0.1,
        allow_inf_nan=False,
    )
    on_error: Literal["skip", "stop"] = _field(
        "skip",
        "On a Bad Picture",
        "skip = leave the picture out and name it in the report; stop = end the job.",
        widget=_RADIO,
    )

    # What comes out
    flatten_transparency: bool = _field(
        True,
        "Flatten Transparency",
        "Save pictures with transparency or a palette as RGB PNG on white (the host's preview needs it);"
        " all others are copied byte for byte.",
    )
    include_scores: bool = _field(False, "Include Scores", "Add a column with each tag's score.")
    caption_files: bool = _field(
        False, "Caption Files", "Also write a text file with the caption beside each picture, as kohya does."
    )
    caption_extension: str = _field(".txt", "Caption File Extension", "Extension of the caption files.")
    in_place: bool = _field(
        False,
        "In Place",
        "Write text files beside the source's own pictures and nothing else. Files that are there are left alone,"
        " unless tags are appended.",
        panel=False,
    )

    # With what
    custom_model: str = _field(
        "",
        "Other Model",
        "A Hugging Face id (owner/name or owner/name/subfolder, with @revision if wanted) or a folder, used instead of"
        " the variant.",
    )
    profile: Literal["kohya", "reference"] = _field(
        "kohya",
        "Resize Profile",
        "kohya = resize exactly as kohya-ss/sd-scripts does; reference = as the model's author does.",
        widget=_RADIO,
    )
    device: Literal["auto", "cpu", "cuda", "rocm", "migraphx", "coreml", "openvino", "directml"] = _field(
        "auto", "Device", "What the model runs on. auto = the fastest that works.", widget="autocomplete"
    )
    cache: bool = _field(True, "Keep Scores", "Store scores, so that another run with other thresholds needs no model.")
    cache_folder: str = _field("", "Score Folder", "Where scores are stored. Empty = the user's cache folder.")

    @model_validator(mode="before")
    @classmethod
    def _drop_empty(cls, values: Any) -> Any:
        """The host writes "nothing" as `''`, `'None'` or null: the default, or None where None is a value."""
        if not isinstance(values, Mapping):
            return values
        known: dict[str, Any] = {}
        for key, value in values.items():
            field = cls.model_fields.get(key)
            if field is None:
                continue
            if isinstance(value, str) and key != "caption_separator":  # whose blanks are its value
                value = value.strip()
            if value is None or value in ("", "None"):
                if _may_be_none(field):
                    known[key] = None
                continue
            known[key] = value
        return known

    @field_validator("*", mode="before")
    @classmethod
    def _refuse_nul(cls, value: Any) -> Any:
        """No file name, tag or column can hold a NUL, and the system's calls answer it with errors of their own."""
        if isinstance(value, str) and "\0" in value:
            raise ValueError(f"expected text, got {shown(value)}, which holds a NUL")
        return value

    @field_validator("cache_folder", mode="after")
    @classmethod
    def _check_home(cls, value: str) -> str:
        try:
            Path(value).expanduser()
        except RuntimeError as error:
            raise ValueError(f"expected a folder, got {shown(value)}: no such user") from error
        return value

    @classmethod
    def from_values(cls, values: Mapping[str, Any]) -> CaptionConfig:
        """The config of a job's values, typed or as strings.

        Raises:
            ConfigError: a value cannot be taken; the message has the parameter's title, the value and what is allowed.
        """
        try:
            return cls.model_validate(dict(values))
        except ValidationError as error:
            raise ConfigError("\n".join(map(cls._explain, error.errors()))) from error

    @classmethod
    def _explain(cls, problem: Any) -> str:
        key = str(problem["loc"][0]) if problem["loc"] else ""
        field = cls.model_fields.get(key)
        title = key if field is None else f"{field.title} ({key})"
        return explain(problem, title, cls.model_json_schema()["properties"].get(key, {}))

    @property
    def model(self) -> str:
        """The model to run: the user's own where one is named, else the variant."""
        return self.custom_model or self.generation_model

    @property
    def cache_path(self) -> Path | None:
        """The folder for scores that the user named, or None for the usual one."""
        return Path(self.cache_folder).expanduser() if self.cache_folder else None

    def threshold_for(self, category: str) -> float:
        """The fixed threshold of a category, with its fallbacks."""
        if category in self.category_thresholds:
            return self.category_thresholds[category]
        own = {"general": self.general_threshold, "character": self.character_threshold}.get(category)
        return self.thresh if own is None else own


def _may_be_none(field: FieldInfo) -> bool:
    return type(None) in getattr(field.annotation, "__args__", ())
