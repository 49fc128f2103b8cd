"""Which weights there are: read from `catalogue.json`, so that a new entry needs no code."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from ..errors import WeightsError


@dataclass(frozen=True)
class Entry:
    """The weights of one model.

    file: their name beside the package or in the store; format: "safetensors" or "torch".
    sha256, url, bytes: None as long as none are published.
    licence: of the weights, which may differ from that of the code.
    network: what a safetensors file's metadata must say under "format"; None where it may say
        anything.
    """

    name: str
    file: str
    format: str
    sha256: str | None
    url: str | None
    licence: str
    bytes: int | None
    network: str | None = None


@cache
def entries() -> dict[str, Entry]:
    """All entries by name."""
    text = Path(__file__).with_name("catalogue.json").read_text(encoding="utf-8")
    return {name: Entry(name=name, **values) for name, values in json.loads(text).items()}


def entry(name: str) -> Entry:
    """The entry of one model; WeightsError where the catalogue has none."""
    if name not in entries():
        raise WeightsError(
            f"There are no weights called '{name}'; the catalogue has {', '.join(entries())}."
        )
    return entries()[name]
