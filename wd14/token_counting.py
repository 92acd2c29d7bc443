"""What counts the tokens of captions in a job: CLIP's own tokenizer where it can be had, else an estimate."""

from __future__ import annotations

from wd14.caption.tokens import ClipTokens, EstimatedTokens
from wd14.config import CaptionConfig
from wd14.errors import ModelError
from wd14.model.files.clip_vocabulary import find_clip_vocabulary
from wd14.stop import StopToken
from wd14.types import Log, TokenCounter


def token_counter(config: CaptionConfig, *, log: Log, stop: StopToken) -> TokenCounter | None:
    """The counter that a config's limit of tokens needs; None where there is no limit.

    Args:
        config: the parameters.
        log: is told about a download, and when tokens are estimated: why, and what to do.
        stop: ends a download.

    Raises:
        JobStoppedError: a stop was asked for.
    """
    return clip_tokens(log=log, stop=stop) if config.max_tokens else None


def clip_tokens(*, log: Log, stop: StopToken) -> TokenCounter:
    """Counts as CLIP does, or estimates and says so in a line. The vocabulary is downloaded once; may take a while.

    Raises:
        JobStoppedError: a stop was asked for.
    """
    try:
        import tokenizers  # noqa: F401 - without it there is no use in the vocabulary

        return ClipTokens(find_clip_vocabulary(log=log, stop=stop))
    except ImportError:
        reason = "For the exact number: pip install 'tokenizers>=0.20'."
    except (ModelError, OSError) as error:
        reason = str(error)
    log(f"Tokens are estimated, about a third too many. {reason}")
    return EstimatedTokens()
