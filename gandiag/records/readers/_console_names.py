"""The name that a line of console text gives to a number, from the text before the number."""

from __future__ import annotations

import re
from typing import NamedTuple

from gandiag.records.readers._names import has_loss_word, has_network_word, is_network_name

#: Words that separate a sentence's subject from its number: "the loss of D is 0.4".
_FILLER_WORDS = """
    a an and are as at but by currently equals for from has have in is now of on or our reached that
    the then this to value was were while with after
"""
_FILLERS = frozenset(_FILLER_WORDS.split())
_LEVELS = re.compile(r"\b(?:INFO|DEBUG|WARNING|WARN|TRACE|NOTICE)\b")  # levels of Python's logging
_OPERATOR = re.compile(r"\s*(?::=|==|=>|->|[:=\u2192\uff1a\uff1d])\s*")
_LAST_OPERATOR = re.compile(r"(?::=|==|=>|->|[:=\u2192\uff1a\uff1d])$")
#: Calls in which Python prints a number, such as `tensor(0.5)` and `np.float32(0.5)`.
_WRAPPER = re.compile(r"(?:tensor|array|variable|parameter|float\d*|scalar|decimal)\($", re.I)
_DOTTED = re.compile(r"[A-Za-z_.]+$")
#: Brackets that belong to a name: D(x), D(G(z)), time (data).
_ARGUMENT = re.compile(r"(?<=[\w.]) ?\(([^()]{1,40}(?:\([^()]{1,40}\)[^()]{0,40})?)\)")
_MASKS = str.maketrans("()", "\x01\x02")
_SEPARATOR = re.compile(
    r"[,;|\[\](){}<>#!?\"*\t\ufffd]|(?:^|(?<=\s))[-\u2013\u2014~=+/\\&]+(?=\s|$)"
    r"|={2,}|\.{2,}|-{2,}|\u2026|[\u2580-\u259f]+"
)
#: Units that stand apart from their number: "12 sec d_loss".
_UNIT_WORDS = """
    s sec secs second seconds ms us min mins minute minutes hr hrs hour hours day days mb gb mib
    gib it/s s/it iter/s iters/s img/s imgs/s step/s samples/s
"""
_UNITS = frozenset(_UNIT_WORDS.split())
MAX_TEXT = 200  # characters before a number that may name it
MAX_NAME = 80  # characters
MAX_WORDS = 6  # a longer text before a number is prose; its last words name the number


class NumberName(NamedTuple):
    """The name of a number.

    Attributes:
        name: words of the name; empty if there are none.
        has_operator: whether a colon, an equals sign or an arrow stands between name and number.
    """

    name: str
    has_operator: bool


def find_name(text: str) -> NumberName:
    """The name in the text between the previous number of a line and a number.

    >>> find_name("] [D loss: ").name, find_name(", 'g_loss': tensor(").name
    ('D loss', 'g_loss')
    >>> find_name(" D(G(z)): ")
    NumberName(name='D(G(z))', has_operator=True)
    >>> find_name(", the loss of the generator is ")
    NumberName(name='loss generator', has_operator=False)
    """
    text, has_operator = _strip_operator(_LEVELS.sub("", text[-MAX_TEXT:]))
    text = _ARGUMENT.sub(lambda m: m[0].translate(_MASKS), text)
    parts = [part for part in _SEPARATOR.split(text) if _has_letter(part)]
    if not parts:
        return NumberName("", has_operator)
    name = _join_words(parts[-1])
    # "[G] loss: 0.5": the network stands in a bracket of its own.
    if len(parts) > 1 and not has_network_word(name):
        before = _join_words(parts[-2])
        name = f"{before} {name}".strip() if is_network_name(before) else name
    return NumberName(name, has_operator)


def _strip_operator(text: str) -> tuple[str, bool]:
    """The text without the operator, opening brackets and calls at its end."""
    has_operator = False
    while True:
        text = text.rstrip(" \t'\"`~\u2248$")
        wrapper, operator = _WRAPPER.search(text), _LAST_OPERATOR.search(text)
        if wrapper:
            text = text[: wrapper.start()]
            dotted = _DOTTED.search(text)
            # `np.` of `np.float32(`; a name before it is separated by an operator or a space.
            text = text[: dotted.start()] if dotted and text.endswith(".") else text
        elif operator:
            text, has_operator = text[: operator.start()], True
        elif text.endswith(("(", "[", "{")):
            text = text[:-1]
        else:
            return text, has_operator


def _join_words(part: str) -> str:
    """The words of a part of a text, without words that name nothing."""
    pieces = [piece for piece in _OPERATOR.split(part) if _has_letter(piece)]
    if not pieces:
        return ""
    # "Losses: D 0.5" names "Losses D", and "root: step 5" names "step".
    kept = [piece for piece in pieces[:-1] if has_network_word(piece) or has_loss_word(piece)]
    words = [word for piece in (*kept, pieces[-1]) for word in piece.split()]
    if len(words) > 1 and words[0] in _UNITS:
        words = words[1:]
    # Capitals are names: IS is the inception score, and A one of two domains.
    words = [word for word in words if word.isupper() or word.lower() not in _FILLERS]
    cleaned = (word.strip("'\"`.:").replace("\x01", "(").replace("\x02", ")") for word in words)
    return " ".join([word for word in cleaned if _has_letter(word)][-MAX_WORDS:])[-MAX_NAME:]


def _has_letter(text: str) -> bool:
    return any(map(str.isalpha, text))
