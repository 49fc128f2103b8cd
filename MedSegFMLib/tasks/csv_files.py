"""Tables of records, such as results.csv, that grow and are read by the next run."""

from __future__ import annotations

import csv
import dataclasses
import io
import sys
from collections.abc import Callable, Iterable
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from ..errors import CasesError
from ..system.atomic_files import append_text, write_text
from ..system.csv_cells import escaped, unescaped

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Record = TypeVar("Record", bound="DataclassInstance")

_CONVERT: dict[str, Callable[[str], Any]] = {
    "int": int,
    "float": float,
    # Names of cases, objects and models occur in many rows; each is kept in memory once.
    "str": lambda text: sys.intern(unescaped(text)),
    "bool": lambda text: text == "True",
    "float | None": lambda text: float(text) if text else None,
}


def write_records(records: Iterable[Record], path: Path, kind: type[Record]) -> None:
    """Write a file of dataclasses atomically: a column for each field."""
    write_text(path, _lines([_names(kind)]) + _lines(map(_values(kind), records)))


def append_records(records: Iterable[Record], path: Path, kind: type[Record]) -> None:
    """Append to a file of `write_records`; `read_records` copes with an interrupted write.

    Raises:
        OutputError: nothing can be written.
    """
    append_text(path, _lines(map(_values(kind), records)))


def read_records(path: Path, kind: type[Record]) -> list[Record]:
    """Read the records of an earlier run; none if there is no file.

    A last line without an end, of a run that was interrupted, is skipped. Fields with a default,
    which come last, may be missing.

    Raises:
        CasesError: the file is damaged.
    """
    if not path.exists():
        return []
    try:
        data = path.read_bytes()
        # Cut before it is decoded: the last line may end within a letter.
        text = data[: data.rfind(b"\n") + 1].decode("utf-8")
        lines = csv.reader(io.StringIO(text, newline=""), strict=True)
        header = next(lines, [])
        fields = [field for field in dataclasses.fields(kind) if _is_needed(field, header)]
        if missing := [field.name for field in fields if field.name not in header]:
            raise ValueError(f"it has no column '{missing[0]}'")
        columns = [(header.index(f.name), _CONVERT[str(f.type)]) for f in fields]
        return [kind(*[convert(line[n]) for n, convert in columns]) for line in lines]
    except OSError as error:
        raise CasesError(
            f"{path} cannot be read ({error.strerror}); remove it or choose another folder."
        ) from error
    except (IndexError, ValueError, csv.Error) as error:
        raise CasesError(
            f"{path} is not a table of this command ({error}); choose another folder or remove it."
        ) from error


def _is_needed(field: dataclasses.Field[Any], header: list[str]) -> bool:
    return field.default is dataclasses.MISSING or field.name in header


def _names(kind: type[Record]) -> list[str]:
    return [field.name for field in dataclasses.fields(kind)]


def _values(kind: type[Record]) -> Callable[[Record], Iterable[Any]]:
    return attrgetter(*_names(kind))


def _lines(table: Iterable[Iterable[Any]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(map(escaped, line) for line in table)
    return text.getvalue()
