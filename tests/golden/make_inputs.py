"""Writes what the peer is run on: `models/` and `pictures/`, from nothing but this file and Pillow 11, NumPy and onnx.

`python tests/golden/make_inputs.py` makes them anew; README.md tells how the captions beside them came about.

The models are as sensitive to pixels as can be: each tag looks at one value of the input and scores
(97 * value mod 256) / 255, so that a value that is one off moves the score by more than a third.
"""

from __future__ import annotations

import csv
import io
import json
import random
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, PngImagePlugin

HERE = Path(__file__).parent
SIDE = 448

RATINGS = ["general", "sensitive", "questionable", "explicit"]
#: As the real lists have them: emoticons, quotes, parentheses, semicolons, backslashes, digits, dashes.
ODD_TAGS = [
    *["^_^", "0_0", ";d", ":3", ";)", "\\m/", "+_+", "@_@", ">_<", "o_o", "x_x", "=_=", "._.", "u_u", "6+girls"],
    *['don\'t_say_"lazy"', "pokemon_(creature)", "bow_(weapon)", "ganyu_(cosplay)", "m.u.g.e.n", "year_2020"],
    *["1girl", "solo", "2girls", "1boy", "3:", ":d", ":o", "xd", "?", "!?", "...", "head-to-head", "fate/stay_night"],
    *["9", "ok", "all_fours", "t-shirt", "no_humans", "cat", "cathedral", "ring", "earrings", "bow", "elbow_gloves"],
]
COLOURS = ["red", "blue", "green", "black", "white", "pink", "grey", "purple", "yellow", "orange", "brown"]
THINGS = [
    "hair",
    "eyes",
    "dress",
    "shirt",
    "background",
    "skirt",
    "hat",
    "ribbon",
    "footwear",
    "gloves",
    "theme",
    "sky",
]
CHARACTERS = [
    *["hatsune_miku", "saber_(fate)", "ganyu_(genshin_impact)", "kaga_(kancolle)", "rem_(re:zero)", "kagamine_rin"],
    *["byleth_(female)_(fire_emblem)", "gawr_gura_(1st_costume)", "usada_pekora_(1st_costume)", "2b_(nier:automata)"],
    *["artoria_caster_(swimsuit)_(fate)", "phosphophyllite_(ll)", "bloop_(gawr_gura)", "gawr_gura", "usada_pekora"],
    *["kyubey", "pikachu", "link", "dark_link", "jeanne_d'arc_alter_(avenger)_(fate)", "d.va_(overwatch)", "9s_(x)"],
]
#: Characters whose expansion is right in the peer too: their last group is the series, each of another one.
EXPANDABLE = [
    *["hatsune_miku", "saber_(fate)", "ganyu_(genshin_impact)", "kaga_(kancolle)", "rem_(re:zero)", "lucina"],
    *["byleth_(female)_(fire_emblem)", "mina_(dracula)_(castlevania)", "d.va_(overwatch)", "2b_(nier:automata)"],
    *["cloud_(strife)_(final_fantasy)", "samus_aran", "tifa_(lockhart)_(ff7)", "tracer", "miia_(monster_musume)"],
    *["rin_(shelter)", "yuki_(yuru_yuri)", "noel_(sora_no_method)", "chen_(arknights)", "link_(zelda)", "kyubey"],
    "pikachu",
]
OTHERS = {
    "Copyright": ["touhou", "fate_(series)", "pokemon", "original"],
    "Meta": ["highres", "absurdres", "official_art", "translation_request"],
    "Model": ["illustrious", "animagine_xl"],
    "Artist": ["someone_(artist)", "another_one"],
    "Quality": ["best_quality", "good_quality", "normal_quality", "worst_quality"],
}


def general_tags() -> list[str]:
    """Odd names first, then pairs."""
    return ODD_TAGS + [f"{colour}_{thing}" for colour in COLOURS for thing in THINGS]


def places(count: int, seed: int) -> list[int]:
    """Positions in the flattened NHWC input: a third in middle rows, a third in middle columns, a third anywhere."""
    rng = random.Random(seed)
    found = []
    for k in range(count):
        row, column = rng.randrange(SIDE), rng.randrange(SIDE)
        if k % 3 == 0:
            row = rng.choice([0, 1, 221, 222, 223, 224, 225, 226, 446, 447])
        elif k % 3 == 1:
            column = rng.choice([0, 1, 221, 222, 223, 224, 225, 226, 446, 447])
        found.append((row * SIDE + column) * 3 + rng.randrange(3))
    return found


# ── Models ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def save_model(folder: Path, count: int, *, logits: bool) -> None:
    """WD14's interface, or cl_tagger's: NCHW, -1..1, logits."""
    from onnx import TensorProto, checker, helper, numpy_helper, save

    def constant(name: str, value: Any, kind: Any = np.float32) -> Any:
        return numpy_helper.from_array(np.array(value, dtype=kind), name)

    nodes, source = [], "input"
    constants = [
        constant("shape", [0, -1], np.int64),
        constant("places", places(count, seed=count), np.int64),
        constant("97", 97.0),
        constant("256", 256.0),
        constant("255", 255.0),
    ]
    if logits:
        nodes += [
            helper.make_node("Transpose", ["input"], ["nhwc"], perm=[0, 2, 3, 1]),
            helper.make_node("Reshape", ["nhwc", "shape"], ["flat"]),
            helper.make_node("Gather", ["flat", "places"], ["scaled"], axis=1),
            helper.make_node("Add", ["scaled", "1"], ["shifted"]),
            helper.make_node("Mul", ["shifted", "127.5"], ["nearly"]),
            helper.make_node("Round", ["nearly"], ["values"]),
        ]
        constants += [constant("1", 1.0), constant("127.5", 127.5), constant("4", 4.0), constant("1/32", 1 / 32)]
    else:
        nodes += [
            helper.make_node("Reshape", [source, "shape"], ["flat"]),
            helper.make_node("Gather", ["flat", "places"], ["values"], axis=1),
        ]
    nodes += [
        helper.make_node("Mul", ["values", "97"], ["spread"]),
        helper.make_node("Mod", ["spread", "256"], ["folded"], fmod=1),
    ]
    if logits:
        nodes += [
            helper.make_node("Mul", ["folded", "1/32"], ["to_8"]),
            helper.make_node("Sub", ["to_8", "4"], ["output"]),
        ]
    else:
        nodes += [helper.make_node("Div", ["folded", "255"], ["output"])]
    shape: list[Any] = ["batch", 3, SIDE, SIDE] if logits else ["batch", SIDE, SIDE, 3]
    graph = helper.make_graph(
        nodes,
        "pixels",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("output", TensorProto.FLOAT, ["batch", count])],
        constants,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    checker.check_model(model)
    folder.mkdir(parents=True, exist_ok=True)
    save(model, folder / "model.onnx")


def save_csv(folder: Path, characters: list[str]) -> int:
    """selected_tags.csv; how many tags it has."""
    rows = [(name, 9) for name in RATINGS] + [(name, 0) for name in general_tags()] + [(name, 4) for name in characters]
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "selected_tags.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["tag_id", "name", "category", "count"])
        writer.writerows((1000 + i, name, category, 5000 - i) for i, (name, category) in enumerate(rows))
    return len(rows)


def save_json(folder: Path) -> int:
    """tag_mapping.json, its categories mixed; how many tags it has."""
    tags = [(name, "General") for name in general_tags()] + [(name, "Character") for name in CHARACTERS]
    tags += [(name, "Rating") for name in RATINGS]
    tags += [(name, category) for category, names in OTHERS.items() for name in names]
    random.Random(7).shuffle(tags)
    folder.mkdir(parents=True, exist_ok=True)
    mapping = {str(i): {"tag": name, "category": category} for i, (name, category) in enumerate(tags)}
    (folder / "tag_mapping.json").write_text(json.dumps(mapping, indent=0, ensure_ascii=False) + "\n", encoding="utf-8")
    return len(tags)


# ── Pictures ────────────────────────────────────────────────────────────────────────────────────────────────────────


def pattern(width: int, height: int, shade: int = 0) -> Image.Image:
    """RGB: tiles of many colours with slopes in them, which every filter changes and which packs well."""
    x, y = np.meshgrid(np.arange(width), np.arange(height))
    slopes = x // 11 * 37 + y // 7 * 53 + shade * 29
    planes = [(slopes + (x * (channel + 2) + y) // 5 + channel * 90) % 256 for channel in range(3)]
    return Image.fromarray(np.stack(planes, axis=2).astype(np.uint8))


def alpha(width: int, height: int) -> Image.Image:
    """From nothing to all, in steps."""
    x, y = np.meshgrid(np.arange(width), np.arange(height))
    return Image.fromarray(((x // 8 * 16 + y // 5 * 24) % 256).astype(np.uint8))


def with_alpha(image: Image.Image) -> Image.Image:
    image.putalpha(alpha(*image.size))
    return image


#: As in make_area.py, fewer: name -> width and height.
SIZES = [
    *[
        (1, 1),
        (1, 100),
        (100, 1),
        (2, 3),
        (17, 5),
        (64, 64),
        (300, 300),
        (300, 200),
        (200, 301),
        (447, 447),
        (447, 100),
    ],
    *[
        (448, 448),
        (448, 447),
        (448, 1),
        (101, 448),
        (449, 449),
        (449, 448),
        (5, 449),
        (512, 512),
        (512, 768),
        (600, 600),
    ],
    *[(640, 480), (672, 100), (770, 1024), (896, 896), (895, 300), (897, 41), (1000, 700), (1344, 448), (200, 1344)],
    *[(1344, 1344), (1792, 90), (20, 2000), (3000, 3), (1, 1500)],
]


def pictures() -> dict[str, bytes]:
    """File name -> contents."""
    files: dict[str, bytes] = {}

    def add(name: str, image: Image.Image, kind: str = "PNG", **options: Any) -> None:
        out = io.BytesIO()
        image.save(out, kind, **({"optimize": True} if kind == "PNG" else {}), **options)
        files[name] = out.getvalue()

    for shade, (width, height) in enumerate(SIZES):
        add(f"size_{width}x{height}.png", pattern(width, height, shade))
    add("rgba.png", with_alpha(pattern(310, 220)))
    add("rgba_large.png", with_alpha(pattern(500, 460)))
    add("grey.png", pattern(500, 333).convert("L"))
    add("grey_alpha.png", with_alpha(pattern(460, 450).convert("L")))
    add("black_and_white.png", pattern(480, 470).convert("1"))
    palette = pattern(470, 456).quantize(64)
    add("palette.png", palette)
    add("palette_one_transparent.png", palette, transparency=5)
    add("palette_many_transparent.png", palette, transparency=bytes(range(0, 256, 8)))
    add("palette_4_bits.png", pattern(460, 300).quantize(13))
    add("grey_key.png", pattern(450, 450).convert("L"), transparency=64)
    add("rgb_key.png", pattern(450, 450), transparency=pattern(450, 450).getpixel((33, 70)))
    add("interlaced_text.png", pattern(451, 320), pnginfo=_text())
    add("profile.png", pattern(452, 400), icc_profile=b"\0" * 16 + b"RGB " + b"\0" * 108)
    for quality in (30, 90):
        add(f"jpeg_{quality}.jpg", pattern(460, 300, quality), "JPEG", quality=quality)
    add("jpeg_grey.jpg", pattern(461, 300).convert("L"), "JPEG", quality=60)
    add("jpeg_cmyk.jpg", pattern(470, 120).convert("CMYK"), "JPEG", quality=60)
    add("jpeg_progressive.JPEG", pattern(300, 455), "JPEG", quality=50, progressive=True)
    for orientation in (3, 6, 8):
        exif = Image.Exif()
        exif[0x0112] = orientation
        add(f"jpeg_turned_{orientation}.jpg", pattern(490, 300, orientation), "JPEG", quality=40, exif=exif)
    add("lossless.webp", pattern(455, 340), "WEBP", lossless=True)
    add("lossless_alpha.webp", with_alpha(pattern(455, 340)), "WEBP", lossless=True, exact=True)
    add("lossy.webp", pattern(500, 340), "WEBP", quality=50)
    frames = [pattern(450, 200, shade) for shade in range(3)]
    add("animated.webp", frames[0], "WEBP", lossless=True, save_all=True, append_images=frames[1:])
    add("animated.png", frames[0], save_all=True, append_images=frames[1:])
    add("still.gif", pattern(460, 250).quantize(32), "GIF")
    add("transparent.gif", pattern(460, 250).quantize(32), "GIF", transparency=3)
    add(
        "animated.gif", frames[0].quantize(32), "GIF", save_all=True, append_images=[f.quantize(32) for f in frames[1:]]
    )
    add("grey.gif", pattern(449, 100).convert("L"), "GIF")
    add("rgb.bmp", pattern(150, 100), "BMP")
    add("palette.bmp", pattern(451, 60).quantize(64), "BMP")
    add("one_bit.bmp", pattern(460, 100).convert("1"), "BMP")
    add("deflated.tiff", pattern(460, 60), "TIFF", compression="tiff_adobe_deflate")
    add("cmyk.tiff", pattern(460, 40).convert("CMYK"), "TIFF", compression="tiff_lzw")
    add("alpha.tiff", with_alpha(pattern(449, 60)), "TIFF", compression="tiff_adobe_deflate")
    add("grey.tiff", pattern(449, 100).convert("L"), "TIFF", compression="packbits")
    pages = [pattern(450, 40, shade) for shade in range(2)]
    add("pages.tiff", pages[0], "TIFF", compression="tiff_adobe_deflate", save_all=True, append_images=pages[1:])
    add("portable.ppm", pattern(90, 120), "PPM")
    return files


def _text() -> PngImagePlugin.PngInfo:
    text = PngImagePlugin.PngInfo()
    text.add_text("parameters", "1girl, masterpiece")
    return text


def main() -> None:
    """Writes both folders."""
    models = HERE / "models"
    save_model(models / "csv", save_csv(models / "csv", CHARACTERS), logits=False)
    save_model(models / "expand", save_csv(models / "expand", EXPANDABLE), logits=False)
    save_model(models / "json", save_json(models / "json"), logits=True)
    folder = HERE / "pictures"
    folder.mkdir(exist_ok=True)
    for name, data in pictures().items():
        (folder / name).write_bytes(data)


if __name__ == "__main__":
    main()
