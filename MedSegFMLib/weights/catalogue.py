"""Which weights there are: read from `catalogue.json`, so that a new entry needs no code."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from ..errors import WeightsError


@dataclass(frozen=True)
class Entry:
    """The weights of one model.

    file: their name beside the package or in the store; format: "safetensors", "torch", or
        "folder", of which `parts` says what is in it.
    sha256, bytes: of the file that is shipped or published; None as long as none is.
    url: where they are published; None where they cannot be downloaded.
    licence: of the weights, which may differ from that of the code: an SPDX identifier or a title.
    network: what a safetensors file's metadata must say under "format"; None where it may say
        anything.
    licence_url: where the licence can be read.
    also: SHA-256 of other publications, such as larger ones, that can be imported in its place.
    page: where the user finds those that cannot be downloaded from here, to be imported.
    recipe: that of `medsegfm train` which makes them, where nobody else does.
    in_folder: what the file is called in a folder that can be given in its place, None for none.
    parts: of a folder, patterns of the paths in it that count; each must match one or more files.
    folder_hint: which folder that is, as a message says it.
    permissive: whether they may be used for anything, selling included. A licence that forbids
        some use, or is unclear, is not permissive: the user accepts it before a download.
    """

    name: str
    file: str
    format: str
    sha256: str | None
    url: str | None
    licence: str
    bytes: int | None
    network: str | None = None
    licence_url: str | None = None
    permissive: bool = False
    also: tuple[str, ...] = ()
    page: str | None = None
    recipe: str | None = None
    in_folder: str | None = None
    parts: tuple[str, ...] = ()
    folder_hint: str = ""

    @property
    def given_as(self) -> str:
        """What the user gives, as a command shows it."""
        return "FOLDER" if self.parts else "FILE"

    @property
    def is_published(self) -> bool:
        """Whether they can be downloaded, and checked."""
        return self.url is not None and self.sha256 is not None

    @property
    def accepted(self) -> tuple[str, ...]:
        """The SHA-256 of all files that are known as publications, in small letters."""
        own = () if self.sha256 is None else (self.sha256,)
        return tuple(digest.lower() for digest in (*own, *self.also))

    @property
    def is_self_describing(self) -> bool:
        """Whether a file says itself that it is whole and of the right network.

        Then a file of the user's own training can take the place of the published one.
        """
        return self.format == "safetensors" and self.network is not None


@cache
def entries() -> dict[str, Entry]:
    """All entries by name."""
    text = Path(__file__).with_name("catalogue.json").read_text(encoding="utf-8")
    items = json.loads(text).items()
    return {name: Entry(name=name, **_with_tuples(values)) for name, values in items}


def _with_tuples(values: dict[str, Any]) -> dict[str, Any]:
    return {key: tuple(v) if isinstance(v, list) else v for key, v in values.items()}


def entry(name: str) -> Entry:
    """The entry of one model; WeightsError where the catalogue has none."""
    if name not in entries():
        raise WeightsError(
            f"There are no weights called '{name}'; the catalogue has {', '.join(entries())}."
        )
    return entries()[name]
