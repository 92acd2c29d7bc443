"""The parameters: one frozen model is their type, default, bounds, help and place in the panel.

`index.json`, the command line's options and info.md's table follow from it; nothing else declares a parameter.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, field_validator, model_validator
from pydantic.fields import FieldInfo

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


class CaptionConfig(BaseModel):
    """What a user can set. Accepts the host's strings (`'0.35'`, `'True'`, `''`, `'None'`) and typed values alike.

    An empty value or `'None'` is the parameter's default, or None where a parameter may be left empty. Keys that
    are not parameters are ignored: the host's form sends other plugins' too.

    Build one with `CaptionConfig.from_values`, whose errors are written for a person.
    """

    model_config = ConfigDict(frozen=True, extra="ignore", str_strip_whitespace=False)

    # The documented plugin's parameters: keys and order are fixed, saved tasks rely on them.
    image_field: str = _field("image", "Image Field", "Dataset column that holds the images.")
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
        "Threshold for character tags. Empty on the command line = the tag confidence threshold.",
        ge=0,
        le=1,
    )
    generation_model: str = _field(
        DEFAULT_MODEL, "ONNX Model Variant", "Which tagger to use. It is downloaded once.", widget="model"
    )
    batch_size: int | None = _field(
        None,
        "Batch Size",
        "Pictures that go through the model at once. Empty = what suits the device; a fixed batch of a model stays.",
        ge=1,
        le=512,
    )
    image_size: int = _field(
        0,
        "Image Resize",
        "Shrink the shorter side to this many pixels before tagging (never enlarges). 0 = leave the image alone.",
        ge=0,
        le=16384,
    )
    caption_separator: Annotated[str, BeforeValidator(_unescape)] = _field(
        ", ", "Caption Separator", "Text between two tags of a caption. \\n stands for a line end."
    )
    max_data_loader_n_workers: int | None = _field(
        None,
        "Max Dataloader Workers",
        "Threads that open and resize pictures. 0 = none beside the model's own. Empty = what suits the machine.",
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
        "fixed = the thresholds above; model = the one its author published (precision = recall);"
        " mcut = where each picture's scores fall most (maximum cut), the thresholds above do not count.",
        widget=_RADIO,
    )
    category_thresholds: Thresholds = _field(
        {},
        "Thresholds by Category",
        "For models with more categories: copyright=0.5, artist=0.4, meta=off.",
        validate_default=True,
    )
    max_tags: int = _field(0, "Maximum Number of Tags", "Keep the best-scored tags only. 0 = all.", ge=0, le=10000)
    undesired_tags: TagList = _field(
        (),
        "Undesired Tags",
        "Tags to leave out, separated by commas or lines, in any spelling (long_hair, long hair); * and ? match.",
        widget=_TEXTAREA,
    )
    remove_implied_tags: bool = _field(
        False, "Remove Implied Tags", "Drop a tag that a longer one implies: long_hair beside very_long_hair."
    )
    implications: str = _field(
        "", "Implication Table", "CSV file of more implications, a line each: tag,implied tag. Empty = none."
    )

    # How they are written
    rating: Literal["none", "first", "last"] = _field(
        "none", "Rating", "Add the picture's rating (general, sensitive, …) to the caption.", widget=_RADIO
    )
    quality: Literal["none", "first", "last"] = _field(
        "none", "Quality", "Add the quality tag, of models that have one.", widget=_RADIO
    )
    tag_order: Literal["model", "score", "alphabetical"] = _field(
        "model",
        "Tag Order",
        "model = the order of the model's own list (general, then characters); score = best first; or alphabetical.",
        widget=_RADIO,
    )
    character_tags_first: bool = _field(False, "Characters First", "Put character tags before general tags.")
    always_first_tags: TagList = _field(
        (),
        "Always First Tags",
        "Tags that, where a picture has them, open its caption, in the order written here.",
        widget=_TEXTAREA,
    )
    trigger_words: TagList = _field(
        (),
        "Trigger Words",
        "Words that open every caption, whether the model saw them or not.",
        widget=_TEXTAREA,
    )
    remove_underscore: bool = _field(
        False, "Underscores to Spaces", "long_hair becomes long hair; emoticons such as ^_^ stay as they are."
    )
    escape_parentheses: bool = _field(
        False, "Escape Parentheses", "Write \\( and \\), as Stable Diffusion prompts want it."
    )
    character_tag_expand: bool = _field(
        False, "Expand Character Tags", "name_(series) becomes name, series; costumes stay with the name."
    )
    tag_replacement: TagPairs = _field(
        (),
        "Tag Replacement",
        "A line each: source -> target. \\, \\; and \\-> stand for the signs themselves.",
        widget=_TEXTAREA,
    )
    append_tags: bool = _field(
        False,
        "Append to Captions",
        "Keep the caption that a picture has (caption column, or .txt beside it) and add the tags it lacks.",
    )

    # What comes in
    split: str = _field("", "Split", "Split to read. Empty = train, else the first; all = every one.")
    keep_columns: bool = _field(False, "Keep Columns", "Carry the source's other columns along.")
    follow_symlinks: bool = _field(
        False, "Follow Links", "Follow links and absolute paths that lead out of the dataset's folder."
    )
    exif_orientation: bool = _field(
        True, "Apply Orientation", "Turn photographs upright before tagging, as every viewer shows them."
    )
    max_megapixels: float = _field(
        250,
        "Largest Picture",
        "Pictures of more million pixels than this fail instead of filling the memory.",
        ge=0.1,
        allow_inf_nan=False,
    )
    on_error: Literal["skip", "stop"] = _field(
        "skip",
        "On a Bad Picture",
        "skip = leave it out, name it in the report and go on; stop = end the job.",
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
    caption_files: bool = _field(False, "Caption Files", "Also write a text file beside each picture, as kohya does.")
    caption_extension: str = _field(".txt", "Caption File Ending", "Ending of those text files.")
    in_place: bool = _field(
        False,
        "In Place",
        "Only write the text files, next to the source's own pictures; files that are there are left alone"
        " unless tags are appended.",
        panel=False,
    )

    # With what
    custom_model: str = _field(
        "",
        "Other Model",
        "A Hugging Face id (owner/name, owner/name/subfolder, @revision) or a folder; used instead of the variant.",
    )
    profile: Literal["kohya", "reference"] = _field(
        "kohya",
        "Resize Profile",
        "kohya = pixel for pixel what kohya-ss/sd-scripts does; reference = as the model's author does.",
        widget=_RADIO,
    )
    device: Literal["auto", "cpu", "cuda", "rocm", "migraphx", "coreml", "openvino", "directml"] = _field(
        "auto", "Device", "What the model runs on. auto = the fastest that is there.", widget="autocomplete"
    )
    cache: bool = _field(
        True, "Keep Scores", "Remember scores, so that another run with other thresholds needs no model."
    )
    cache_folder: str = _field("", "Score Folder", "Where scores are kept. Empty = the user's cache folder.")

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
            raise ValueError(f"expected text, got {_shown(value)}, which holds a NUL")
        return value

    @field_validator("cache_folder", mode="after")
    @classmethod
    def _check_home(cls, value: str) -> str:
        try:
            Path(value).expanduser()
        except RuntimeError as error:
            raise ValueError(f"expected a folder, got {_shown(value)}: no such user") from error
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
            raise ConfigError("\n".join(_explain(problem) for problem in error.errors())) from error

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


def _explain(problem: Any) -> str:
    """One line of a ConfigError."""
    key = str(problem["loc"][0]) if problem["loc"] else ""
    field = CaptionConfig.model_fields.get(key)
    title = f"{field.title} ({key})" if field is not None else key
    if problem["type"] == "value_error":
        return f"{title}: {_cut(str(problem['ctx']['error']), 400)}"
    return f"{title} is {_shown(problem['input'])}; allowed: {allowed_values(key)}"


def _shown(value: object) -> str:
    """A value as a message shows it: quoted, and not by the page."""
    try:
        text = repr(value)
    except ValueError:  # an int of more digits than Python writes
        return f"a {type(value).__name__} that is too long to show"
    return _cut(text, 200)


def _cut(text: str, room: int) -> str:
    return text if len(text) <= room else f"{text[:room]}…"


def allowed_values(key: str) -> str:
    """What a parameter can be, in words: `a number from 0 to 1`, `skip or stop`."""
    schema = CaptionConfig.model_json_schema()["properties"].get(key, {})
    variants = schema.get("anyOf", [schema])
    words = [_variant_in_words(variant) for variant in variants]
    return " or ".join(words)


def _variant_in_words(schema: Mapping[str, Any]) -> str:
    if "enum" in schema:
        *others, last = schema["enum"]
        return f"{', '.join(others)} or {last}"
    names = {"number": "a number", "integer": "a whole number", "boolean": "true or false", "null": "empty"}
    words = names.get(schema.get("type", ""), "text")
    low, high = schema.get("minimum"), schema.get("maximum")
    if low is not None and high is not None:
        return f"{words} from {low:g} to {high:g}"
    return words if low is None else f"{words} of at least {low:g}"
