"""The parameters: one frozen model holds their types, defaults, bounds, help texts and groups.

The panel (index.json), the command line's options, info.md's table and task.yaml are made from it: after a change run
`scripts/generate`.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    ModelWrapValidatorHandler,
    ValidationError,
    field_validator,
    model_validator,
)

from wd14.config_words import contradiction, explain, shown
from wd14.errors import ConfigError
from wd14.parameter_types import ByCategory, ByTag, PathText, Place, TagList, TagPairs, Threshold, parameter
from wd14.parsing import check_column_name, unescape, without_empty

DEFAULT_MODEL = "SmilingWolf/wd-v1-4-convnext-tagger-v2"
BUILTIN_MODEL = "builtin/colours"
#: The model that adds no tag: captions are what pictures have already, with a person's edits.
NO_MODEL = "builtin/none"


class CaptionConfig(BaseModel):
    """What a user can set. Accepts the host's strings (`'0.35'`, `'True'`, `''`, `'None'`) and typed values alike.

    An empty value, None or `'None'` is the parameter's default. Keys that are not parameters are ignored: the host's
    form sends other plugins' too.

    Raises:
        ConfigError: values are not allowed.
    """

    model_config = ConfigDict(frozen=True)

    # The documented plugin's parameters: keys and order are fixed, saved tasks rely on them.
    image_field: str = parameter("image", "Image Field", "Column of the dataset that holds the pictures.")
    thresh: Threshold = parameter(0.35, "Tag Confidence Threshold", "A tag is kept when its score is at least this.")
    general_threshold: Threshold | None = parameter(
        None, "General Threshold", "Threshold for general tags. Empty = the tag confidence threshold."
    )
    character_threshold: Threshold = parameter(
        0.85,
        "Character Threshold",
        "Threshold for character tags. Empty = 0.85: a wrong name is worse than none.",
    )
    generation_model: str = parameter(
        DEFAULT_MODEL, "ONNX Model Variant", "The tagger. It is downloaded once, at its first use."
    )
    batch_size: int | None = parameter(
        None, "Batch Size", "Pictures that go through the model at once. Empty = what suits the device.", ge=1, le=512
    )
    image_size: int = parameter(
        0, "Image Resize", "Shrink the shorter side to this many pixels before tagging. 0 = off.", ge=0, le=16384
    )
    caption_separator: Annotated[str, BeforeValidator(unescape)] = parameter(
        ", ", "Caption Separator", "Text between two tags of a caption. \\n is a line end."
    )
    max_data_loader_n_workers: int | None = parameter(
        None,
        "Max Dataloader Workers",
        "Threads that open and resize pictures. Empty = what suits the machine. 0 = no extra threads.",
        ge=0,
        le=256,
    )
    output_dataset_name: str = parameter(
        "", "Output Dataset Name", "Name of the new dataset. Empty = the source's name with _captions."
    )

    # Which tags
    threshold_mode: Literal["fixed", "model", "mcut"] = parameter(
        "fixed",
        "Threshold Mode",
        "fixed = the thresholds that you set, or a model's own if you set none and it works far from 0.35;"
        " model = those that the model's author published; mcut = one for each picture, at the widest gap between its"
        " scores (maximum cut).",
    )
    category_thresholds: ByCategory = parameter(
        {},
        "Thresholds by Category",
        "Thresholds for other categories, which some models have: copyright=0.5, artist=0.4, meta=off.",
    )
    max_tags: int = parameter(
        0, "Maximum Number of Tags", "Keep this many tags, those with the best scores. 0 = all.", ge=0, le=10000
    )
    undesired_tags: TagList = parameter(
        (),
        "Undesired Tags",
        "Tags to leave out, separated by commas or lines, in any spelling (long_hair, long hair). Wildcards: * and ?.",
    )
    tag_thresholds: ByTag = parameter(
        "",
        "Thresholds by Tag",
        "Thresholds for single tags: wet_hair=0.6, smile=+0.1 (0.1 above its usual one), blurry=off; or a CSV file.",
    )
    remove_implied_tags: bool = parameter(
        False, "Remove Implied Tags", "Leave out what another tag already says: long_hair beside very_long_hair."
    )
    implications: str = parameter(
        "", "Implication Table", "CSV file of further implications, one a line: tag,implied tag. Empty = none."
    )

    # What the training is to learn
    purpose: Literal["none", "character", "outfit", "style"] = parameter(
        "none",
        "Purpose",
        "What the training is to learn. Tags that the trigger word is to stand for are left out of the captions,"
        " decided from all pictures of the dataset and listed in a plan. none = every tag stays.",
    )
    fold_tags: TagList = parameter(
        (),
        "Fold Tags",
        "Tags that the trigger word stands for, whatever the plan says, in any spelling. Wildcards: * and ?.",
    )
    keep_tags: TagList = parameter(
        (), "Keep Tags", "Tags that stay in the captions, whatever the plan says, in any spelling. Wildcards: * and ?."
    )
    plan: PathText = parameter("", "Plan", "A plan.json of an earlier run, as you edited it: its decisions are taken.")
    trainer: Literal["none", "kohya", "onetrainer", "ai-toolkit", "diffusion-pipe"] = parameter(
        "none",
        "Trainer",
        "Also write what this trainer needs: text files, its dataset config with repeats, sample prompts.",
    )

    # How they are written
    caption_style: Literal["kohya", "animagine", "illustrious", "noobai", "pony", "anima"] = parameter(
        "kohya",
        "Caption Style",
        "Order, spelling and rating words as the authors of your base model write them; kohya = as kohya's scripts."
        " An option that you set yourself wins.",
    )
    rating: Place = parameter(
        "none", "Rating", "Add the picture's rating (general, sensitive, …) before or after the tags."
    )
    quality: Place = parameter(
        "none", "Quality", "Add the picture's quality before or after the tags, if the model rates quality."
    )
    tag_order: Literal["model", "score", "alphabetical"] = parameter(
        "model",
        "Tag Order",
        "model = as in the model's list, general before characters; score = best first; or alphabetical.",
    )
    character_tags_first: bool = parameter(False, "Characters First", "Put character tags before general tags.")
    always_first_tags: TagList = parameter(
        (), "Always First Tags", "Tags that open the caption of a picture that has them, in the order given here."
    )
    trigger_words: TagList = parameter(
        (), "Trigger Words", "Words that open every caption. In a prompt they call up what you trained."
    )
    remove_underscore: bool = parameter(
        False, "Underscores to Spaces", "long_hair becomes long hair; emoticons such as ^_^ stay as they are."
    )
    escape_parentheses: bool = parameter(
        False, "Escape Parentheses", "Write \\( and \\), as prompts for Stable Diffusion need it."
    )
    character_tag_expand: bool = parameter(
        False, "Expand Character Tags", "name_(series) becomes name, series. Costumes stay with the name."
    )
    tag_replacement: TagPairs = parameter(
        (), "Tag Replacement", "One replacement a line: source -> target. An empty target removes the tag."
    )
    max_tokens: int = parameter(
        0,
        "Maximum Number of Tokens",
        "Leave out the least certain general tags until the caption fits, as CLIP counts: 75, 150 or 225. 0 = off.",
        ge=0,
        le=10000,
    )
    append_tags: bool = parameter(
        False,
        "Append to Captions",
        "Keep the caption that a picture has (in a caption column or a .txt beside it) and add the tags that it lacks.",
    )
    edits: PathText = parameter(
        "",
        "Edits",
        "An edits.json of the review page: your corrections, made again in the captions of this run. They win over the"
        " model, the thresholds and the plan.",
    )

    # Dataset that goes in
    split: str = parameter("", "Split", "Split to read. Empty = train, or else the first one; all = every split.")
    keep_columns: bool = parameter(False, "Keep Columns", "Keep the other columns of the dataset.")
    follow_symlinks: bool = parameter(
        False, "Follow Links", "Follow links and absolute paths that lead out of the dataset's folder."
    )
    exif_orientation: bool = parameter(
        True, "Apply Orientation", "Turn photographs upright before tagging, as every viewer shows them."
    )
    max_megapixels: float = parameter(
        250,
        "Largest Picture",
        "Pictures of more megapixels than this fail instead of filling the memory.",
        ge=0.1,
        le=100_000,
        allow_inf_nan=False,
    )
    on_error: Literal["skip", "stop"] = parameter(
        "skip", "On a Bad Picture", "skip = leave the picture out and name it in the report; stop = end the job."
    )

    # Dataset that comes out
    caption_column: Annotated[str, AfterValidator(check_column_name)] = parameter(
        "caption", "Caption Column", "Column of the captions in the new dataset. Trainers ask for its name."
    )
    flatten_transparency: bool = parameter(
        True,
        "Flatten Transparency",
        "Save pictures that Transformer Lab cannot show (with transparency, a palette or 16 bits) as RGB on white."
        " All others are copied byte for byte.",
    )
    include_scores: bool = parameter(False, "Include Scores", "Add a column with each tag's score.")
    review: bool = parameter(
        True,
        "Review Page",
        "Write .wd14/review.html: one page that shows pictures, tags and scores, and takes your corrections.",
    )
    caption_files: bool = parameter(
        False, "Caption Files", "Also write a text file with the caption beside each picture, as kohya does."
    )
    caption_extension: str = parameter(
        ".txt", "Caption File Extension", "Extension of text files with captions, those that are read and written."
    )
    in_place: bool = parameter(
        False,
        "In Place",
        "Only write caption files, beside the source's own pictures. Existing ones stay, unless tags are appended.",
    )

    # Model and stored scores
    custom_model: str = parameter(
        "",
        "Other Model",
        "A tagger's Hugging Face id (owner/name, owner/name/subfolder, @revision) or folder, instead of the variant.",
    )
    ensemble: TagList = parameter(
        (), "Ensemble", "Further taggers, by name, id or folder: a tag is kept when enough of the models keep it."
    )
    ensemble_votes: int = parameter(
        2,
        "Ensemble Votes",
        "How many models of an ensemble must keep a tag; where fewer know it, all that do.",
        ge=1,
        le=20,
    )
    profile: Literal["kohya", "reference"] = parameter(
        "kohya",
        "Resize Profile",
        "kohya = resize exactly as kohya's scripts do; reference = as the model's author does.",
    )
    device: Literal["auto", "cpu", "openvino", "openvino-gpu", "cuda", "rocm", "migraphx", "coreml", "directml"] = (
        parameter("auto", "Device", "What the model runs on. auto = the fastest device that works.")
    )
    precision: Literal["exact", "fast"] = parameter(
        "exact", "Precision", "exact = in 32 bits; fast = in 16 bits where that is quicker: scores differ a little."
    )
    cache: bool = parameter(
        True, "Keep Scores", "Store scores, so that another run with other thresholds needs no model."
    )
    cache_folder: PathText = parameter("", "Score Folder", "Where scores are stored. Empty = the user's cache folder.")

    @model_validator(mode="wrap")
    @classmethod
    def _validate(cls, values: Any, validate: ModelWrapValidatorHandler[Self]) -> Self:
        try:
            config = validate(without_empty(cls.model_fields, values) if isinstance(values, Mapping) else values)
        except ValidationError as error:
            raise ConfigError("\n".join(map(cls._explain, error.errors()))) from error
        if problem := contradiction(config):
            raise ConfigError(problem)
        return config

    @field_validator("*", mode="before")
    @classmethod
    def _refuse_nul(cls, value: Any) -> Any:
        """No file name, tag or column can hold a NUL, and the operating system's own errors about it are no help."""
        if isinstance(value, str) and "\0" in value:
            raise ValueError(f"expected text, got {shown(value)}, which holds a NUL")
        return value

    @classmethod
    def from_values(cls, values: Mapping[str, Any]) -> CaptionConfig:
        """The config of a job's values, typed or as strings.

        Raises:
            ConfigError: values are not allowed; for each, a line with the parameter, its value and what is allowed.
        """
        return cls.model_validate(dict(values))

    @classmethod
    def _explain(cls, problem: Any) -> str:
        key = str(problem["loc"][0]) if problem["loc"] else ""
        field = cls.model_fields.get(key)
        title = key if field is None else f"{field.title} ({key})"
        return explain(problem, title, cls.model_json_schema()["properties"].get(key, {}))

    @classmethod
    def differs(cls, key: str, value: Any) -> bool:
        """Whether a parameter's value, as a host sends it, is another than the default, or is not allowed."""
        try:
            config = cls.from_values({key: value})
        except ConfigError:
            return True
        return key in cls.model_fields and getattr(config, key) != cls.model_fields[key].default

    @property
    def studies(self) -> bool:
        """Whether the dataset is looked at as a whole before it is captioned."""
        return self.purpose != "none" or bool(self.fold_tags or self.plan)

    @property
    def text_files(self) -> str | None:
        """Extension of the text files beside the output's pictures; None = there are none."""
        return self.caption_extension if self.caption_files or self.trainer != "none" else None

    @property
    def model(self) -> str:
        """The model to run: the user's own where one is named, else the variant."""
        return self.custom_model or self.generation_model

    @property
    def adds_no_tags(self) -> bool:
        """Whether the model is the one without tags."""
        return self.model.strip().lower() == NO_MODEL

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
