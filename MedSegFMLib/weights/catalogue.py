"""The catalogue of weights, read from `catalogue.json`, so that a new entry needs no code."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from ..errors import WeightsError
from ..system.json_files import load_json
from ..system.suggestions import with_suggestion


@dataclass(frozen=True)
class PublishedFile:
    """A file of published weights that are a folder.

    Attributes:
        name: its path in the folder.
        bytes: its size.
        sha256: of the file.
    """

    name: str
    bytes: int
    sha256: str


@dataclass(frozen=True)
class Entry:
    """The weights of one model.

    Attributes:
        name: their name.
        file: the file name beside the package or in the store.
        format: "safetensors", "torch", or "folder", whose contents `parts` lists.
        sha256: of the shipped or published file; None if there is none yet.
        url: the address of the published file; None if it cannot be downloaded. Of a folder: that
            of its `files`, up to their names.
        licence: of the weights, which may differ from that of the code: an SPDX identifier or a
            title.
        bytes: the size of the shipped or published file; None if there is none yet.
        network: the required value of "format" in a safetensors file's metadata; None for any.
        licence_url: the address of the licence text.
        permissive: whether they may be used for anything, including sale. A licence that forbids
            some use, or is unclear, is not permissive: the user must accept it before a download.
        also: SHA-256 of other publications, such as larger ones, that can be imported instead.
        page: the web page with weights that cannot be downloaded from here but can be imported.
        recipe: the recipe of `medsegfm train` that creates them, if they are not published
            elsewhere.
        in_folder: the file's name in a folder that can be given instead; None if none can.
        parts: patterns of the relevant paths in a folder; each must match at least one file.
        optional: patterns of further relevant paths in it, which may be missing.
    folder_hint: a description of that folder for messages.
        files: the published files of a folder; () if it cannot be downloaded.
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
    optional: tuple[str, ...] = ()
    folder_hint: str = ""
    files: tuple[PublishedFile, ...] = ()

    @property
    def given_as(self) -> str:
        """The placeholder for the weights in a command: FOLDER or FILE."""
        return "FOLDER" if self.parts else "FILE"

    @property
    def is_published(self) -> bool:
        """Whether they can be downloaded and verified."""
        return self.url is not None and self.sha256 is not None

    @property
    def accepted(self) -> tuple[str, ...]:
        """The SHA-256 of all known publications, in lower case."""
        primary = () if self.sha256 is None else (self.sha256,)
        return tuple(digest.lower() for digest in (*primary, *self.also))

    @property
    def is_self_describing(self) -> bool:
        """Whether the file itself shows that it is complete and for the right network.

        Then a file from the user's own training can replace the published one.
        """
        return self.format == "safetensors" and self.network is not None


@cache
def entries() -> dict[str, Entry]:
    """All entries by name."""
    return read_entries(Path(__file__).with_name("catalogue.json"))


def read_entries(path: Path) -> dict[str, Entry]:
    """The entries of a catalogue by name.

    Raises:
        WeightsError: the file is damaged.
    """
    try:
        items = load_json(path, dict).items()
        return {name: _entry(name, values) for name, values in items}
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise WeightsError(f"{path} is damaged ({error}); install MedSegFM again.") from error


def _entry(name: str, values: dict[str, Any]) -> Entry:
    given: dict[str, Any] = {
        key: tuple(v) if isinstance(v, list) else v for key, v in values.items()
    }
    files = tuple(PublishedFile(**file) for file in values.get("files", ()))
    given |= {"name": name, "files": files}
    return Entry(**given)


def entry(name: str) -> Entry:
    """The entry with this name.

    Raises:
        WeightsError: the catalogue has none.
    """
    if name not in entries():
        raise WeightsError(
            f"There are no weights called {with_suggestion(name, entries())}; the catalogue has "
            f"{', '.join(entries())}."
        )
    return entries()[name]
