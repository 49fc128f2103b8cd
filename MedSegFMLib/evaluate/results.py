"""results.csv: written after every task, read by the next run."""

from __future__ import annotations

import csv
import dataclasses
import io
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from ..atomic import write_text
from ..errors import CasesError
from .records import Row

_CONVERT: dict[str, Callable[[str], Any]] = {
    "int": int,
    "float": float,
    "str": str,
    "bool": lambda text: text == "True",
}


def write_rows(rows: Iterable[Row], path: Path) -> None:
    """Write results.csv, whole or not at all."""
    text = io.StringIO()
    fields = [field.name for field in dataclasses.fields(Row)]
    writer = csv.DictWriter(text, fields, lineterminator="\n")
    writer.writeheader()
    writer.writerows(dataclasses.asdict(row) for row in rows)
    write_text(path, text.getvalue())


def read_rows(path: Path) -> list[Row]:
    """The rows of an earlier run, none where there is no file; CasesError where it is damaged."""
    if not path.exists():
        return []
    try:
        with path.open(encoding="utf-8", newline="") as stream:
            return [
                Row(
                    **{
                        field.name: _CONVERT[str(field.type)](record[field.name])
                        for field in dataclasses.fields(Row)
                    }
                )
                for record in csv.DictReader(stream)
            ]
    except OSError as error:
        raise CasesError(
            f"{path} cannot be read ({error.strerror}); remove it or choose another folder."
        ) from error
    except (KeyError, TypeError, ValueError, csv.Error) as error:
        raise CasesError(
            f"{path} is no result of this program ({error!r}); remove it or choose another folder."
        ) from error
