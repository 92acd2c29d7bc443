"""Every family of taggers as small files of exactly its form, and what its authors' code makes of a picture.

Nothing here comes from the package: pictures are prepared with Pillow and NumPy as each family's own published code
does it, label files are written as it writes them, and what a caption must have is worked out from that.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tests.support.family_graphs import Form, Head, Numbers, save_graph

Prepared = tuple[Numbers, NDArray[np.bool_] | None]
"""One picture as the graph gets it, and where it is padding, for the model that takes that."""
Colour = tuple[int, int, int]
Filter = Image.Resampling

IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
CLIP = ((0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711))
HALF = ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))

RATINGS = ("general", "sensitive", "questionable", "explicit")
GENERAL = ("1girl", "solo", "long_hair", "^_^", ";d", "\\m/", "null", "smile", "bow_(weapon)", "blue_sky", "year_2020")
CHARACTERS = ("hatsune_miku", "saber_(fate)", "ganyu_(genshin_impact)")
#: Danbooru's numbers.
NUMBERS = {"general": 0, "artist": 1, "copyright": 3, "character": 4, "meta": 5, "rating": 9}


@dataclass(frozen=True)
class Family:
    """A model of a family, and what is known of it."""

    id: str  #: in the list of models
    model: str  #: the graph's path in the repository, whose folder has the other files too
    head: Head
    form: Form
    prepare: Callable[[Image.Image], Prepared]
    tags: Sequence[tuple[str, str]]  #: our names and categories, in the order of the outputs; "" = no tag
    labels: tuple[str, str]  #: name and content
    others: Mapping[str, str] = field(default_factory=dict)  #: further files
    thresholds: Mapping[str, float] = field(default_factory=dict)  #: published, by category; "" = of all others
    by_tag: Mapping[int, float] = field(default_factory=dict)  #: published, by position
    is_far: bool = False  #: whether these are used where a person sets none
    by_score: bool = False  #: whether captions are sorted by score

    @property
    def repo(self) -> str:
        """Its repository."""
        return "/".join(self.id.split("/")[:2])

    def write(self, folder: Path) -> Path:
        """Writes the files into a folder, without the repository's folders. Returns the graph's path."""
        path = folder / self.model.rpartition("/")[2]
        save_graph(path, self.head, self.form)
        for name, content in {self.labels[0]: self.labels[1], **self.others}.items():
            (folder / name).write_bytes(content.encode())
        return path

    def scores(self, picture: Image.Image) -> NDArray[np.float64]:
        """(T,)"""
        return 1 / (1 + np.exp(-self.head.logits(*self.prepare(picture))))

    def limits(self, usual: Mapping[str, float] | None) -> list[float]:
        """The threshold of each tag: its own published ones, or these by category (with "" for all others)."""
        table = self.thresholds if usual is None else usual
        return [
            (self.by_tag.get(place) if usual is None else None) or table.get(category, table.get("", 0.35))
            for place, (_, category) in enumerate(self.tags)
        ]

    def caption(self, scores: NDArray[np.float64], usual: Mapping[str, float] | None) -> list[str]:
        """The tags of a caption, as kohya orders them: general ones, characters, all others; none of them rates."""
        limits = self.limits(usual)
        kept = [
            place
            for place, (_, category) in enumerate(self.tags)
            if category not in ("", "rating", "quality") and scores[place] >= limits[place]
        ]
        groups = {"general": 0, "character": 1}
        kept.sort(key=lambda place: -scores[place] if self.by_score else groups.get(self.tags[place][1], 2))
        return [self.tags[place][0] for place in kept]

    def best(self, category: str, scores: NDArray[np.float64]) -> str:
        """The tag of the highest score in a category."""
        places = [place for place, tag in enumerate(self.tags) if tag[1] == category]
        return self.tags[max(places, key=lambda place: scores[place])][0]


# How pictures are prepared


def on(colour: Colour, picture: Image.Image) -> Image.Image:
    """Upright is the caller's; RGB, with a colour behind what is transparent."""
    if "A" not in picture.mode and "transparency" not in picture.info:
        return picture.convert("RGB")
    behind = Image.new("RGBA", picture.size, colour)
    behind.alpha_composite(picture.convert("RGBA"))
    return behind.convert("RGB")


WHITE = (255, 255, 255)


def placed(picture: Image.Image, size: tuple[int, int], colour: Colour) -> Image.Image:
    """In the middle of a canvas."""
    canvas = Image.new("RGB", size, colour)
    canvas.paste(picture, ((size[0] - picture.width) // 2, (size[1] - picture.height) // 2))
    return canvas


#: Of tests/golden/pictures, what the families are tried on: tall, small, wide, tiny, transparent.
PICTURES = ("size_770x1024.png", "size_300x200.png", "size_895x300.png", "size_17x5.png", "rgba_large.png")


def squared(picture: Image.Image) -> Image.Image:
    side = max(picture.size)
    return placed(picture, (side, side), WHITE)


def normalized(picture: Image.Image, numbers: tuple[Sequence[float], Sequence[float]], *, bgr: bool = False) -> Numbers:
    """(3, S, S): scaled to 0..1, less the mean, by the deviation, in float32."""
    pixels = np.asarray(picture, np.float32).transpose(2, 0, 1) / np.float32(255)
    mean, deviation = (np.array(each, np.float32).reshape(3, 1, 1) for each in numbers)
    return ((pixels[::-1] if bgr else pixels) - mean) / deviation


def squashed(side: int, resample: Filter) -> Callable[[Image.Image], Prepared]:
    """PixAI v0.9, CL v2: the sides become equal whatever they were."""
    return lambda picture: (normalized(on(WHITE, picture).resize((side, side), resample), HALF), None)


def wd(side: int) -> Callable[[Image.Image], Prepared]:
    """WD14's, which Z3D and idolsankaku share: on a white square, bicubic, BGR, 0..255, channels last."""

    def prepare(picture: Image.Image) -> Prepared:
        square = squared(on(WHITE, picture)).resize((side, side), Filter.BICUBIC)
        return np.asarray(square, np.float32)[:, :, ::-1], None

    return prepare


def cl_v1(picture: Image.Image) -> Prepared:
    square = squared(on(WHITE, picture)).resize((448, 448), Filter.BICUBIC)
    return normalized(square, HALF, bgr=True), None


def joytag(picture: Image.Image) -> Prepared:
    return normalized(squared(on(WHITE, picture)).resize((448, 448), Filter.BICUBIC), CLIP), None


def pixai_v1(picture: Image.Image) -> Prepared:
    """The longer side becomes 1008, the other is cut to a whole number; black around it, which is -1."""
    picture = on(WHITE, picture)
    ratio = min(1008 / picture.height, 1008 / picture.width)
    size = (int(picture.width * ratio), int(picture.height * ratio))
    return normalized(placed(picture.resize(size, Filter.BILINEAR), (1008, 1008), (0, 0, 0)), HALF), None


def oppai(picture: Image.Image) -> Prepared:
    """Never enlarged; grey around it and behind what is transparent; True in the mask is padding."""
    grey = (114, 114, 114)
    picture = on(grey, picture)
    scale = min(448 / picture.width, 448 / picture.height, 1.0)
    width, height = (max(1, round(side * scale)) for side in picture.size)
    left, top = (448 - width) // 2, (448 - height) // 2
    mask = np.ones((448, 448), bool)
    mask[top : top + height, left : left + width] = False
    resized = picture.resize((width, height), Filter.BILINEAR)
    return normalized(placed(resized, (448, 448), grey), HALF), mask


def camie(picture: Image.Image) -> Prepared:
    """The longer side becomes 512, the other is cut to a whole number; the mean colour around it."""
    picture = on(WHITE, picture)
    ratio = picture.width / picture.height
    size = (512, int(512 / ratio)) if ratio > 1 else (int(512 * ratio), 512)
    return normalized(placed(picture.resize(size, Filter.LANCZOS), (512, 512), (124, 116, 104)), IMAGENET), None


def camie_v1_of_deepghs(picture: Image.Image) -> Prepared:
    """In the middle of a black square of 512; 0..1."""
    picture = on(WHITE, picture)
    ratio = min(512 / picture.width, 512 / picture.height)
    resized = picture.resize((round(picture.width * ratio), round(picture.height * ratio)), Filter.LANCZOS)
    return normalized(placed(resized, (512, 512), (0, 0, 0)), ((0, 0, 0), (1, 1, 1))), None


def animetimm(side: int) -> Callable[[Image.Image], Prepared]:
    """On a white square of 512, then the size of the model."""

    def prepare(picture: Image.Image) -> Prepared:
        picture = on(WHITE, picture)
        ratio = min(512 / picture.width, 512 / picture.height)
        size = (round(picture.width * ratio), round(picture.height * ratio))
        square = placed(picture.resize(size, Filter.BILINEAR), (512, 512), WHITE)
        return normalized(square if side == 512 else square.resize((side, side), Filter.BICUBIC), IMAGENET), None

    return prepare


# Label files


def table(header: str, rows: Sequence[Sequence[object]], end: str = "\n") -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator=end)
    writer.writerow(header.split(","))
    writer.writerows(rows)
    return text.getvalue()


def tagged(**names: Sequence[str]) -> list[tuple[str, str]]:
    """Pairs of name and category, category by category."""
    return [(name, category) for category, several in names.items() for name in several]


def preprocess_file(side: int, key: str = "test") -> str:
    """As animetimm's exporter writes it, with numbers of float32."""
    pad = {"type": "pad_to_size", "size": [512, 512], "background_color": "white", "interpolation": "bilinear"}
    mean, deviation = ([float(np.float32(value)) for value in each] for each in IMAGENET)
    stages = [
        pad,
        {"type": "resize", "size": side, "interpolation": "bicubic", "max_size": None, "antialias": True},
        {"type": "center_crop", "size": [side, side]},
        {"type": "maybe_to_tensor"},
        {"type": "normalize", "mean": mean, "std": deviation},
    ]
    return json.dumps({key: stages, "val": stages, "pre": [pad]}, ensure_ascii=False, sort_keys=True, indent=4)


# The families

PLAIN = tagged(rating=RATINGS, general=GENERAL, character=CHARACTERS)


def numbered(tags: Sequence[tuple[str, str]], numbers: Mapping[str, int] = NUMBERS) -> str:
    """A `selected_tags.csv` as WD14 has it."""
    return table(
        "tag_id,name,category,count",
        [(470_000 + place, name, numbers[category], 9000 - place) for place, (name, category) in enumerate(tags)],
    )


def pixai_v09() -> Family:
    tags = tagged(general=GENERAL, character=CHARACTERS)
    rows = [
        (
            place,
            13_000 + place,
            name,
            NUMBERS[category],
            50 - place,
            '["vocaloid"]' if category == "character" else "[]",
        )
        for place, (name, category) in enumerate(tags)
    ]
    stages = [
        {"type": "resize", "size": [448, 448], "interpolation": "bilinear", "max_size": None, "antialias": None},
        {"type": "to_tensor"},
        {"type": "normalize", "mean": [0.5, 0.5, 0.5], "std": [0.5, 0.5, 0.5]},
    ]
    return Family(
        id="deepghs/pixai-tagger-v0.9-onnx",
        model="model.onnx",
        head=Head.random(len(tags), 448, 9, gain=3),
        form=Form((3, 448, 448), ("embedding", "logits", "probabilities"), ("embedding", "logits", "prediction")),
        prepare=squashed(448, Filter.BILINEAR),
        tags=tags,
        labels=("selected_tags.csv", table("id,tag_id,name,category,count,ips", rows)),
        others={
            "preprocess.json": json.dumps({"stages": stages}, sort_keys=True, ensure_ascii=False, indent=4),
            "thresholds.csv": "category,name,threshold\n0,general,0.3\n4,character,0.85\n",
        },
        thresholds={"general": 0.3, "character": 0.85},
    )


PIXAI_V1 = tagged(
    general=GENERAL,
    character=CHARACTERS,
    copyright=("vocaloid", "touhou"),
    style=("wlop", "some_artist", "another_(artist)"),
    meta=("highres", "comic"),
    rating=("sensitive", "general", "questionable", "explicit"),
)
PIXAI_V1_THRESHOLDS = {"general": 0.17, "character": 0.27, "copyright": 0.24, "style": 0.15, "meta": 0.17}


def theirs(name: str, category: str) -> str:
    """PixAI v1.0's spelling."""
    return f"rating:{name[0]}" if category == "rating" else name


def pixai_v1_csv() -> Family:
    numbers = {"general": 0, "style": 1, "copyright": 3, "character": 4, "meta": 5, "rating": 9}
    rows = [(theirs(*tag), numbers[tag[1]]) for tag in PIXAI_V1]
    return Family(
        id="Mexes/pixai-tagger-v1.0-onnx-fp32-fp16-int8",
        model="model.onnx",
        head=Head.random(len(PIXAI_V1), 1008, 30, gain=3),
        form=Form((3, 1008, 1008), ("logits",), ("logits",), input="pixel_values"),
        prepare=pixai_v1,
        tags=PIXAI_V1,
        labels=("selected_tags.csv", table("name,category", rows)),
        thresholds=PIXAI_V1_THRESHOLDS,
        is_far=True,
    )


def pixai_v1_blocks() -> Family:
    blocks: list[dict[str, object]] = []
    for category in dict.fromkeys(category for _, category in PIXAI_V1):
        places = [place for place, tag in enumerate(PIXAI_V1) if tag[1] == category]
        names = [theirs(*PIXAI_V1[place]) for place in places]
        blocks.append({"name": category, "offset": places[0], "count": len(places), "tags": names})
    return Family(
        id="noaione/pixai-tagger-v1.0-onnx",
        model="model.onnx",
        head=Head.random(len(PIXAI_V1), 1008, 11, gain=3),
        form=Form((3, 1008, 1008), ("logits",), ("logits",), batch=1, external="model.onnx.data"),
        prepare=pixai_v1,
        tags=PIXAI_V1,
        labels=("tags.json", json.dumps({"num_classes": len(PIXAI_V1), "categories": blocks})),
        thresholds=PIXAI_V1_THRESHOLDS,
        is_far=True,
    )


def cl_tagger_v1() -> Family:
    tags = tagged(
        rating=RATINGS,
        general=GENERAL,
        character=CHARACTERS,
        copyright=("vocaloid",),
        artist=("some_artist",),
        meta=("highres",),
        quality=("best quality", "normal quality"),
        model=("sdxl",),
    )
    mapping = {str(place): {"tag": name, "category": category.title()} for place, (name, category) in enumerate(tags)}
    return Family(
        id="cella110n/cl_tagger/cl_tagger_1_02",
        model="cl_tagger_1_02/model.onnx",
        head=Head.random(len(tags), 448, 12, gain=3),
        form=Form((3, 448, 448), ("logits",), ("output0",), batch="batch"),
        prepare=cl_v1,
        tags=tags,
        labels=("tag_mapping.json", json.dumps(mapping)),
        thresholds={"": 0.55},
        is_far=True,
        by_score=True,
    )


def cl_tagger_v2() -> Family:
    tags = tagged(
        rating=RATINGS,
        general=GENERAL,
        character=CHARACTERS,
        copyright=("vocaloid",),
        meta=("highres",),
        quality=("best quality", "high quality", "medium quality"),
    )
    # A tag and a rating may have one name, so that the file's table of categories knows one of them only.
    vocabulary = {
        "num_tags": len(tags),
        "idx_to_tag": {str(place): name for place, (name, _) in enumerate(tags)},
        "tag_to_idx": {name: place for place, (name, _) in enumerate(tags)},
        "tag_to_category": {name: category.title() for name, category in tags},
    }
    return Family(
        id="cella110n/cl_tagger_v2/v2_01a",
        model="v2_01a/model.onnx",
        head=Head.random(len(tags), 384, 13, gain=3),
        form=Form((3, 384, 384), ("logits",), ("logits",), input="pixel_values", external="model.onnx.data"),
        prepare=squashed(384, Filter.BICUBIC),
        tags=tags,
        labels=("model_vocabulary.json", json.dumps(vocabulary)),
        thresholds={"": 0.55},
        is_far=True,
    )


def oppai_oracle() -> Family:
    names = [*GENERAL, "touhou", "rem_(re:zero)", "highres"]
    tags = [
        ("<PAD>", ""),
        ("<UNK>", ""),
        *((name, "general") for name in names),
        *((each, "rating") for each in RATINGS),
    ]
    rows = [(place, f"rating:{name}" if kind == "rating" else name, 0) for place, (name, kind) in enumerate(tags)]

    def point(threshold: float) -> dict[str, float]:
        return {"threshold": threshold, "precision": 0.6, "recall": 0.6, "f1": 0.6}

    report = {
        "val_samples": 296_056,
        "skip_indices": [0, 1],
        "micro": {"pr_breakeven": point(0.7927)},
        "macro_single_threshold": {
            "support_ge_0": {"pr_breakeven": point(0.7)},
            "support_ge_1": {"pr_breakeven": point(0.753), "f1_optimal": point(0.805)},
        },
        "per_tag": {"min_support": 5, "pr_summary": {}, "f1_summary": {}},
    }
    return Family(
        id="Grio43/OppaiOracle/V1.1_onnx",
        model="V1.1_onnx/model.onnx",
        head=Head.random(len(tags), 448, 14, gain=3),
        form=Form((3, 448, 448), ("probabilities",), ("probabilities",), input="pixel_values", mask="padding_mask"),
        prepare=oppai,
        tags=tags,
        labels=("selected_tags.csv", table("tag_id,name,category", rows, "\r\n")),
        others={"pr_thresholds.json": json.dumps(report)},
        thresholds={"": 0.753},
        is_far=True,
    )


def camie_v2() -> Family:
    tags = tagged(
        general=GENERAL,
        rating=("general", "sensitive"),
        meta=("highres",),
        year=("year_2021", "year_2022"),
        character=CHARACTERS,
        artist=("some_artist",),
        copyright=("vocaloid", "touhou"),
    )
    written = [f"rating_{name}" if category == "rating" else name for name, category in tags]
    mapping = {
        "idx_to_tag": {str(place): name for place, name in enumerate(written)},
        "tag_to_category": {name: category for name, (_, category) in zip(written, tags, strict=True)},
    }
    metadata = {
        "model_info": {"img_size": 512, "patch_size": 16},
        "dataset_info": {"total_tags": len(tags), "tag_mapping": mapping},
        "input_spec": {"shape": [3, 512, 512], "dtype": "float32"},
    }
    return Family(
        id="Camais03/camie-tagger-v2",
        model="camie-tagger-v2.onnx",
        head=Head.random(len(tags), 512, 15, gain=2),
        form=Form(
            (3, 512, 512),
            ("other", "logits", "candidates"),
            ("initial_predictions", "refined_predictions", "selected_candidates"),
        ),
        prepare=camie,
        tags=tags,
        labels=("camie-tagger-v2-metadata.json", json.dumps(metadata)),
        thresholds={"": 0.492},
        is_far=True,
    )


def camie_v1() -> Family:
    """As deepghs exported it: a graph that also has the outputs of its first stage."""
    tags = tagged(
        rating=("general", "sensitive"),
        general=GENERAL,
        artist=("some_artist",),
        copyright=("vocaloid",),
        character=CHARACTERS,
        meta=("highres",),
        year=("year_2021", "year_2022"),
    )
    rows = [
        (place, 500 + place, name, {**NUMBERS, "year": 10}[category], 9000 - place)
        for place, (name, category) in enumerate(tags)
    ]
    thresholds = {"general": 0.26, "artist": 0.3, "copyright": 0.4, "character": 0.5, "meta": 0.35, "year": 0.2}
    modes = {
        name: {"balanced": {"threshold": value, "micro_f1": 0.6}, "high_recall": {"threshold": value / 2}}
        for name, value in {"overall": 0.2616, "rating": 0.35, **thresholds}.items()
    }
    stages = [
        {"type": "pad_to_size", "size": [512, 512], "background_color": [0, 0, 0], "interpolation": "lanczos"},
        {"type": "to_tensor"},
    ]
    names = ("embedding", "logits", "output")
    return Family(
        id="deepghs/camie_tagger_onnx/refined",
        model="refined/model.onnx",
        head=Head.random(len(tags), 512, 26, gain=5),
        form=Form(
            (3, 512, 512),
            ("embedding", "other", "other", "embedding", "logits", "probabilities"),
            (*(f"initial/{name}" for name in names), *names),
            batch="batch",
        ),
        prepare=camie_v1_of_deepghs,
        tags=tags,
        labels=("selected_tags.csv", table("id,tag_id,name,category,count", rows)),
        others={"preprocess.json": json.dumps({"stages": stages}), "threshold.json": json.dumps(modes)},
        thresholds=thresholds,
    )


def animetimm_csv(tags: Sequence[tuple[str, str]]) -> tuple[str, dict[int, float]]:
    """A label file with more columns than anybody needs, and the threshold of each tag in it."""
    by_tag = {place: round(0.2 + 0.037 * place % 0.6, 3) for place in range(len(tags))}
    rows = [
        (1000 + place, name, NUMBERS[category], 9000 - place, 8000 - place, 0.7, 0.6, by_tag[place], 0.65, 0.6)
        for place, (name, category) in enumerate(tags)
    ]
    header = "tag_id,name,category,count,selected_count,test_mcc,test_f1,best_threshold,best_f1,best_precision"
    return table(header, rows), by_tag


def caformer() -> Family:
    tags = tagged(general=GENERAL, character=CHARACTERS, rating=RATINGS)
    labels, by_tag = animetimm_csv(tags)
    return Family(
        id="animetimm/caformer_b36.dbv4-full",
        model="model.onnx",
        head=Head.random(len(tags), 384, 16, gain=2),
        form=Form(
            (3, "height", "width"),
            ("embedding", "logits", "probabilities"),
            ("embedding", "logits", "prediction"),
            batch="batch",
        ),
        prepare=animetimm(384),
        tags=tags,
        labels=("selected_tags.csv", labels),
        others={
            "preprocess.json": preprocess_file(384),
            "thresholds.csv": "category,name,alpha,threshold,f1,precision,recall\n0,general,1.0,0.39,0.6,0.6,0.6\n"
            "4,character,1.0,0.47,0.7,0.7,0.7\n9,rating,1.0,0.39,0.8,0.8,0.8\n",
            "categories.json": json.dumps(
                [{"category": NUMBERS[name], "name": name} for name in ("general", "character", "rating")]
            ),
        },
        thresholds={"general": 0.39, "character": 0.47},
        by_tag=by_tag,
        is_far=True,
    )


def convnext_huge() -> Family:
    tags = tagged(general=GENERAL, character=CHARACTERS, rating=RATINGS)
    labels, by_tag = animetimm_csv(tags)
    return Family(
        id="itterative/convnextv2_huge.dbv4-full-onnx",
        model="model.onnx",
        head=Head.random(len(tags), 512, 17, gain=2),
        form=Form((3, 512, 512), ("probabilities",), ("prediction",), batch="batch", external="model.onnx_data"),
        prepare=animetimm(512),
        tags=tags,
        labels=("selected_tags.csv", labels),
        by_tag=by_tag,
        is_far=True,
    )


def joytag_model() -> Family:
    names = [*GENERAL, *CHARACTERS, "kamina_(ttgl)"]
    return Family(
        id="fancyfeast/joytag",
        model="model.onnx",
        head=Head.random(len(names), 448, 18, gain=2),
        form=Form((3, 448, 448), ("logits",), ("tags",), batch="batch"),
        prepare=joytag,
        tags=[(name, "general") for name in names],
        labels=("top_tags.txt", "\n".join(names)),
        thresholds={"": 0.4},
    )


def z3d() -> Family:
    tags = tagged(
        general=GENERAL,
        artist=("some_artist",),
        copyright=("pokemon",),
        character=CHARACTERS,
        species=("wolf", "domestic_cat"),
        meta=("hi_res",),
        lore=("incest_(lore)",),
    )
    numbers = {"general": 0, "artist": 1, "copyright": 3, "character": 4, "species": 5, "meta": 7, "lore": 8}
    return Family(
        id="toynya/Z3D-E621-Convnext",
        model="model.onnx",
        head=Head.random(len(tags), 448, 19, gain=3 / 128, middle=128),
        form=Form((448, 448, 3), ("probabilities",), ("predictions_sigmoid",), input="input_1:0", batch="unk__1"),
        prepare=wd(448),
        tags=tags,
        labels=("tags-selected.csv", numbered(tags, numbers)),
    )


def idolsankaku(name: str, side: int, threshold: float, *, is_far: bool) -> Family:
    return Family(
        id=f"deepghs/idolsankaku-{name}-tagger-v1",
        model="model.onnx",
        head=Head.random(len(PLAIN), side, 20 + side, gain=3 / 128, middle=128),
        form=Form((side, side, 3), ("probabilities",), ("output",)),
        prepare=wd(side),
        tags=PLAIN,
        labels=("selected_tags.csv", numbered(PLAIN)),
        thresholds={"": threshold},
        is_far=is_far,
    )


#: By what tests call them.
FAMILIES: Mapping[str, Callable[[], Family]] = {
    "pixai-v0.9": pixai_v09,
    "pixai-v1.0": pixai_v1_csv,
    "pixai-v1.0-blocks": pixai_v1_blocks,
    "cl-v1": cl_tagger_v1,
    "cl-v2": cl_tagger_v2,
    "oppai-oracle": oppai_oracle,
    "camie-v2": camie_v2,
    "camie-v1": camie_v1,
    "animetimm": caformer,
    "convnextv2-huge": convnext_huge,
    "joytag": joytag_model,
    "z3d": z3d,
    "idolsankaku": lambda: idolsankaku("swinv2", 448, 0.3094, is_far=False),
    "idolsankaku-480": lambda: idolsankaku("eva02-large", 480, 0.4985, is_far=True),
}
