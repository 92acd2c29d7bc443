"""A small vocabulary of CLIP's kind, as `tokenizer.json` has it."""

from __future__ import annotations

from collections.abc import Iterable

from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers

PIECE = r"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"
END = "</w>"


def byte_letters() -> dict[int, str]:
    """The letter that stands for each byte."""
    shown = [*range(33, 127), *range(161, 173), *range(174, 256)]
    hidden = [byte for byte in range(256) if byte not in shown]
    return {**{byte: chr(byte) for byte in shown}, **{byte: chr(256 + place) for place, byte in enumerate(hidden)}}


def merges_of(words: Iterable[str]) -> list[tuple[str, str]]:
    """Merges that make each of these words, or parts of words, one token, letter by letter; END closes a word."""
    merges: dict[tuple[str, str], None] = {}
    for word in words:
        letters = list(word.removesuffix(END))
        if word.endswith(END):
            letters[-1] += END
        for at in range(1, len(letters)):
            merges["".join(letters[:at]), letters[at]] = None
    return list(merges)


def small_vocabulary(words: Iterable[str]) -> bytes:
    """A `tokenizer.json` in which these words are single tokens."""
    letters = list(byte_letters().values())
    merges = merges_of(words)
    tokens = [*letters, *(letter + END for letter in letters), *dict.fromkeys("".join(pair) for pair in merges)]
    vocabulary = {token: number for number, token in enumerate([*tokens, "<|startoftext|>", "<|endoftext|>"])}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=merges, end_of_word_suffix=END))
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.NFC(), normalizers.Replace(Regex(r"\s+"), " "), normalizers.Lowercase()]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(PIECE), behavior="removed", invert=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    return tokenizer.to_str().encode()
