"""Foreign texts as people read them, on the page and in a log: short, on one line, isolated; pure.

Names, ids and words of an address can be of any length, and of any direction. API and files give
them whole; everything that is looked at has them through here.
"""

import re
import unicodedata
from typing import Final

# As much as a filter takes, so that whatever can be chosen can be read whole.
SHOWN_AT_MOST: Final = 200
# So much of a text is looked at; what only the page needs is cut to one more in the database.
READ_AT_MOST: Final = 500
NO_NAME: Final = "(no name)"

# Marks that turn the text around them: ALM, LRM, RLM, embeddings, overrides, isolates.
_TURNING: Final = re.compile("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_CONTROL: Final = re.compile("[\0-\x1f\x7f-\x9f]")
_HALF: Final = re.compile("[\ud800-\udfff]")
_FROM_RIGHT_TO_LEFT: Final = frozenset({"R", "AL", "AN"})
# Kinds of characters that belong to the one before them: accents, vowels, an emoji's complexion.
_ATTACHED: Final = frozenset({"Mn", "Mc", "Me", "Sk"})
_JOINER: Final = "\u200d"
_NOT_SEEN: Final = frozenset({"Cf", "Zs"})


def shown(text: str, most: int = SHOWN_AT_MOST) -> str:
    """Write a text on one line of at most ``most`` characters, empty where nothing can be seen.

    Marks that turn what stands around them are left out. A text that holds letters from right to
    left is put between U+2068 and U+2069, beyond ``most``, and so turns nothing but itself.
    """
    return _isolated(one_line(text, most))


def one_line(text: str, most: int = SHOWN_AT_MOST) -> str:
    """Write a text as ``shown`` does, for a cell of its own, which isolates it by its style."""
    line = text[:READ_AT_MOST]
    if not (line.isascii() and line.isprintable()):
        line = _HALF.sub("\ufffd", _CONTROL.sub(" ", _TURNING.sub("", line)))
    line = " ".join(line.split())
    if len(line) > most or len(text) > READ_AT_MOST:
        line = f"{_cut(line, most - 1)}…"
    return line if any(map(_is_seen, line)) else ""


def named(text: str, most: int = SHOWN_AT_MOST) -> str:
    """Write a name as ``shown`` does, or that there is none to be seen."""
    return shown(text, most) or NO_NAME


def quoted(text: str) -> str:
    """Write a text for a log or in a sentence: in quotes, as Python spells it, cut like ``shown``.

    What cannot be printed is escaped, so that the text can be searched for and forges no line.
    """
    dots = "…" if len(text) > SHOWN_AT_MOST else ""
    return _isolated(f"{text[:SHOWN_AT_MOST]!r}{dots}")


def _cut(line: str, end: int) -> str:
    """Cut before ``end``, but not between a character and what is attached to it."""
    least, end = end // 2, min(end, len(line))
    while end > least and (_is_attached(line[end : end + 1]) or line[end - 1] == _JOINER):
        end -= 1
    return line[:end].rstrip()


def _is_attached(character: str) -> bool:
    return character == _JOINER or any(unicodedata.category(c) in _ATTACHED for c in character)


def _is_seen(character: str) -> bool:
    return unicodedata.category(character) not in _NOT_SEEN


def _isolated(line: str) -> str:
    if line.isascii() or not any(
        unicodedata.bidirectional(character) in _FROM_RIGHT_TO_LEFT for character in line
    ):
        return line
    return f"\u2068{line}\u2069"
