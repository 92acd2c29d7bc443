"""Prompts for sample pictures, from the captions of the dataset itself."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from wd14.curation.families import is_count
from wd14.spelling import split_caption

#: Captions that become prompts, beside the one of the trigger alone.
_FROM_CAPTIONS = 4
#: Captions that are kept to choose from, at most.
MOST_CAPTIONS = 128


def sample_prompts(captions: Sequence[str], trigger_words: Sequence[str], separator: str) -> tuple[str, ...]:
    """The trigger with the most frequent count tag and nothing else, then up to four captions from first to last.

    The first shows what the trigger stands for by itself, the others whether the captions are obeyed.

    Args:
        captions: spread over the dataset.
        trigger_words: they open every caption.
        separator: between two tags.
    """
    prompts = []
    if trigger_words:
        counts = Counter(tag for caption in captions for tag in split_caption(caption, separator) if is_count(tag))
        prompts.append(", ".join([*trigger_words, *(tag for tag, _ in counts.most_common(1))]))
    written = [line for caption in captions if (line := " ".join(caption.split()))]
    last = len(written) - 1
    prompts += [written[last * number // (_FROM_CAPTIONS - 1)] for number in range(_FROM_CAPTIONS) if written]
    return tuple(dict.fromkeys(prompts))
