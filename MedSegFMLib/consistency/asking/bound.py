"""The agreement of looks from which an answer is given without a question.

It is data, written by `Testing/benchmarks/asking.py`, which says what it was calibrated on.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from ...system.json_files import parse_json

_BOUNDS = Path(__file__).with_name("bounds.json")


@cache
def agreement_bound() -> float:
    """The least mean Dice of looks that counts as agreement, 0 to 1."""
    document: Any = parse_json(_BOUNDS.read_bytes(), dict)
    return float(document["agreement"])
