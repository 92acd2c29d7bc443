"""The data of a review page of made-up pictures: as many tags as a real dataset has, and as many candidates."""

from __future__ import annotations

from typing import Any

import numpy as np

from wd14.caption.captioner import Captioner
from wd14.caption.page_rules import page_rules
from wd14.config import CaptionConfig
from wd14.model.files.registry import MODELS
from wd14.review.candidates import Candidates
from wd14.review.page_data import PageContents, Words, page_data
from wd14.review.page_rows import PageRow, PageRows
from wd14.types import Labels, Status

TAGS = 10_861  #: as wd-v3's
KEPT, CANDIDATES = 25, 60  #: of a picture, on average
