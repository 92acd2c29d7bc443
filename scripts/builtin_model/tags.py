"""The tags of `builtin/colours`, in the order of its outputs.

Names, ids and counts are Danbooru's, as SmilingWolf's v3 label file has them (Apache-2.0).
"""

from __future__ import annotations

#: (tag id, name, posts on Danbooru when the v3 taggers were made). Their scores are constants.
RATINGS: tuple[tuple[int, str, int], ...] = (
    (9999999, "general", 1589178),
    (9999998, "sensitive", 3994361),
    (9999997, "questionable", 892496),
    (9999996, "explicit", 706509),
)

#: As RATINGS; every one of these is computed, by the value of the same name that `picture.py` returns.
GENERAL: tuple[tuple[int, str, int], ...] = (
    (412368, "simple_background", 1420030),
    (515193, "white_background", 1161729),
    (1681, "monochrome", 547787),
    (513837, "greyscale", 432002),
    (632214, "grey_background", 211830),
    (6107, "blurry", 186733),
    (531371, "gradient_background", 115876),
    (553142, "blurry_background", 103689),
    (580545, "blue_background", 88552),
    (511136, "border", 88504),
    (584749, "pink_background", 71378),
    (569748, "black_background", 58718),
    (668761, "white_border", 50865),
    (526340, "letterboxed", 47799),
    (593298, "yellow_background", 45624),
    (593296, "red_background", 43164),
    (646879, "brown_background", 31914),
    (593297, "green_background", 31415),
    (494669, "spot_color", 30882),
    (643898, "purple_background", 30644),
    (1515358, "blue_theme", 23838),
    (645753, "orange_background", 21175),
    (506, "dark", 12729),
    (567329, "limited_palette", 12664),
    (555246, "black_border", 12383),
    (1515359, "pink_theme", 9198),
    (714822, "red_theme", 8839),
    (1508967, "purple_theme", 8354),
    (541644, "aqua_background", 8137),
    (1515356, "green_theme", 7364),
    (16710, "sepia", 6992),
    (640153, "muted_color", 5285),
    (1515362, "yellow_theme", 5133),
    (390579, "colorful", 4564),
    (631299, "pillarboxed", 3763),
    (1515357, "orange_theme", 3207),
    (1515361, "white_theme", 3194),
    (1515354, "brown_theme", 3031),
    (385780, "high_contrast", 2580),
    (1515352, "aqua_theme", 2104),
    (621654, "pale_color", 2015),
    (1515355, "black_theme", 1896),
    (1531641, "light_blue_background", 1702),
    (471805, "pastel_colors", 1536),
    (1515353, "grey_theme", 1351),
)
