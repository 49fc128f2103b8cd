"""Names and labels that other people's files give to objects and cases."""

from __future__ import annotations

import re
import unicodedata

# Voxels of a label map are 16-bit numbers.
LARGEST_LABEL = 65535

_LONGEST = 1000
_LABEL = re.compile(r"[1-9][0-9]{0,4}")
# Control characters, lone surrogates, and the ends of lines and paragraphs.
_UNPRINTABLE = ("Cc", "Cs", "Zl", "Zp")


def name_fault(name: str) -> str | None:
    """Why a name cannot be written to one cell or line; None if it can.

    A name with an end of line in it, or after it, is another one once a table was read back.
    """
    if len(name) > _LONGEST:
        return f"has more than {_LONGEST} characters"
    bad = next((c for c in name if unicodedata.category(c) in _UNPRINTABLE), None)
    return None if bad is None else f"contains the control character {bad!a}"


def parse_label(text: str) -> int | None:
    """The label that a key of JSON writes, 1 to 65535; None if it writes none.

    Each label has one spelling: "01" beside "1" would be two names of one label.
    """
    if _LABEL.fullmatch(text) is None:
        return None
    label = int(text)
    return label if label <= LARGEST_LABEL else None
