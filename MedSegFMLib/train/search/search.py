"""A search over one setting: a training for each value, and their scores side by side.

`medsegfm train crossplane out=OUT consistency=0,1,2,4` trains in OUT/consistency-0 and so on, each
as if it were called alone, with the same data, seed and steps. OUT/search.json holds the scores of
those that are finished; a search that was interrupted continues with the others.
"""

from __future__ import annotations

import csv
import io
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ...errors import OutputError, TrainingError
from ...progress import Progress, parts_of
from ...system.atomic_files import write_text
from ...system.folder_lock import folder_lock
from ...system.json_files import load_json
from ..settings_text import parse_settings
from .plot import draw_scores

INDEX, TABLE, PLOT = "search.json", "search.csv", "search.png"


@dataclass(frozen=True)
class Search:
    """A search as typed.

    Attributes:
        name: The searched setting.
        values: Its values as typed, in that order.
        words: All other settings, as key=value.
        out: The folder of the search.
    """

    name: str
    values: tuple[str, ...]
    words: tuple[str, ...]
    out: Path

    def folder(self, value: str) -> Path:
        """The folder of the training with a value."""
        return self.out / f"{self.name}-{value}"

    def settings(self, kind: type[Any], value: str) -> Any:
        """The settings of the training with a value.

        Raises:
            TrainingError: As `parse_settings`.
        """
        parsed = parse_settings(kind, [*self.words, f"{self.name}={value}"])
        return replace(parsed, out=self.folder(value))


@dataclass(frozen=True)
class Row:
    """A finished training of a search.

    Attributes:
        value: The value of the searched setting.
        scores: The scores of the last validation by name.
        seconds: The time that the call took which finished it.
    """

    value: str
    scores: Mapping[str, float]
    seconds: float


def find_search(searched: Sequence[str], kind: type[Any], words: Sequence[str]) -> Search | None:
    """The search that settings as typed ask for; None if each has one value.

    Args:
        searched: The settings that a recipe can be searched over.
        kind: The recipe's settings.
        words: The settings as key=value.

    Raises:
        TrainingError: Several settings have several values, one that cannot be searched has, a
            value is given twice or is invalid.
    """
    lists = {
        key: tuple(value.strip() for value in text.split(","))
        for key, equals, text in (word.partition("=") for word in words)
        if equals and key in searched and "," in text
    }
    if not lists:
        return None
    if len(lists) > 1:
        raise TrainingError(
            f"{' and '.join(lists)} have several values each; give a list for one of them."
        )
    ((name, values),) = lists.items()
    repeated = next((value for value in values if values.count(value) > 1), None)
    if repeated is not None:
        raise TrainingError(f"{name} has the value {repeated or 'of no text'} twice; give it once.")
    others = tuple(word for word in words if word.partition("=")[0] != name)
    out = parse_settings(kind, [*others, f"{name}={values[0]}"]).out
    search = Search(name, values, others, out)
    for value in values:
        search.settings(kind, value)
    return search


def run_search(
    search: Search,
    kind: type[Any],
    train: Callable[[Any, Progress], Mapping[str, float]],
    progress: Progress,
) -> list[Row]:
    """Train with each value, and write the table and the plot after each.

    Args:
        search: The search.
        kind: The recipe's settings.
        train: Trains with settings and returns the scores of the last validation.
        progress: Reports progress over all trainings; may raise Cancelled.

    Returns:
        A row for each value, in the order of the search.

    Raises:
        TrainingError: The folder contains a search with other settings.
        OutputError: A file cannot be written or read.
    """
    from ..run_log import prepare_folder

    prepare_folder(search.out)
    with folder_lock(search.out, "or name another as out="):
        rows = _read(search)
        for value, share in zip(search.values, parts_of(progress, len(search.values)), strict=True):
            if value not in rows:
                begun = time.perf_counter()
                scores = train(search.settings(kind, value), _named(search, value, share))
                seconds = round(time.perf_counter() - begun, 1)
                rows[value] = Row(value, dict(scores), seconds)
                _write(search, rows)
            share(1.0, f"{search.name}={value} is finished")
        return [rows[value] for value in search.values]


def table(rows: Sequence[Row]) -> tuple[list[str], list[list[str]]]:
    """The header and the cells of a table: each score, and its change from the first row."""
    names = list(rows[0].scores)
    header = [*names, *(f"{name} change" for name in names), "seconds"]
    cells = []
    for row in rows:
        changes = [f"{row.scores[name] - rows[0].scores[name]:+.3f}" for name in names]
        values = [f"{row.scores[name]:.3f}" for name in names]
        cells.append([row.value, *values, *changes, f"{row.seconds:.0f}"])
    return header, cells


def _named(search: Search, value: str, progress: Progress) -> Progress:
    return lambda fraction, phrase: progress(fraction, f"{search.name}={value}: {phrase}")


def _same(search: Search) -> dict[str, str]:
    """The settings that all trainings of a search share, but for its folder."""
    pairs = (word.partition("=") for word in search.words)
    return {key: text for key, _, text in pairs if key != "out"}


def _read(search: Search) -> dict[str, Row]:
    """The rows of earlier calls whose training is still there, by value."""
    path = search.out / INDEX
    if not path.is_file():
        return {}
    try:
        held = load_json(path, dict)
        name, settings = held["setting"], held["settings"]
        rows = [Row(row["value"], row["scores"], row["seconds"]) for row in held["rows"]]
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise OutputError(
            f"{path} cannot be read ({error}); delete it, or name another folder as out=."
        ) from error
    wanted = {"searched setting": search.name, **_same(search)}
    before = {"searched setting": name, **settings}
    for key in {**before, **wanted}:
        if before.get(key) != wanted.get(key):
            raise TrainingError(
                f"The search in {search.out} had another {key} ({before.get(key, 'the default')}, "
                f"not {wanted.get(key, 'the default')}); name another folder as out=."
            )
    return {row.value: row for row in rows if search.folder(row.value).is_dir()}


def _write(search: Search, rows: Mapping[str, Row]) -> None:
    """Write the scores of the finished trainings: for a later call, as a table, and as a plot."""
    finished = [rows[value] for value in search.values if value in rows]
    index = {
        "setting": search.name,
        "settings": _same(search),
        "rows": [vars(row) for row in rows.values()],
    }
    write_text(search.out / INDEX, json.dumps(index, indent=1))
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([search.name, *finished[0].scores, "seconds"])
    writer.writerows([row.value, *row.scores.values(), row.seconds] for row in finished)
    write_text(search.out / TABLE, text.getvalue())
    points = [(row.value, row.scores) for row in finished]
    draw_scores(search.out / PLOT, search.name, points)
