"""Console output of the commands: a progress bar on stderr, tables on stdout."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from ..progress import Progress

# The width of a table without a terminal, and the longest name of a row that is never divided.
_WIDTH = 80
_LONGEST_WHOLE = 24
# The characters between the texts of two columns of rich's box SIMPLE.
_BETWEEN = 3
# Without a terminal: the shortest and the longest time between two lines.
_LEAST_SECONDS, _MOST_SECONDS = 30.0, 60.0


@contextmanager
def progress_bar(title: str) -> Iterator[Progress]:
    """A progress bar with phrase and elapsed time on stderr; without a terminal, lines."""
    if not sys.stderr.isatty():
        yield _Lines(title)
        return
    from rich.console import Console
    from rich.progress import BarColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bars

    columns = (TextColumn("{task.description}", markup=False), BarColumn(), TimeElapsedColumn())
    with Bars(*columns, console=Console(stderr=True), transient=True) as bars:
        task = bars.add_task(title, total=1.0)

        def report(fraction: float, phrase: str) -> None:
            bars.update(task, completed=fraction, description=f"{title}: {phrase}")

        yield report


class _Lines:
    """Progress as plain lines, for a log: at each tenth of long work, and each minute."""

    def __init__(self, title: str) -> None:
        self._title = title
        self._last_line, self._tenths = time.monotonic(), 0

    def __call__(self, fraction: float, phrase: str) -> None:
        """Print a line if one is due."""
        now, tenths = time.monotonic(), int(fraction * 10)
        since = now - self._last_line
        if since >= _MOST_SECONDS or (tenths > self._tenths and since >= _LEAST_SECONDS):
            self._last_line, self._tenths = now, tenths
            print(f"{self._title}: {100 * fraction:.0f} %, {phrase}", file=sys.stderr, flush=True)


def print_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a plain table as wide as the terminal; otherwise COLUMNS or 80 characters wide."""
    from rich.box import SIMPLE
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table, widths = Table(box=SIMPLE), []
    for number, name in enumerate(header):
        cells = [row[number] for row in rows]
        # Names of rows, numbers and words of headings stay whole, also in a narrow terminal.
        is_name = number == 0 and max(map(len, cells), default=0) <= _LONGEST_WHOLE
        words = [word for cell in cells for word in cell.split() if _is_number(word)]
        least = max(map(len, [*words, *name.split()]), default=0)
        # A word that is longer may be divided, such as a UID.
        whole = [w for text in (name, *cells) for w in text.split() if len(w) <= _LONGEST_WHOLE]
        widths.append(max(map(len, [name, *cells] if is_name else whole), default=0))
        table.add_column(
            Text(name), overflow="fold", no_wrap=is_name, min_width=None if is_name else least
        )
    for row in rows:
        # Names may contain brackets, which are not markup.
        table.add_row(*map(Text, row))
    has_width = sys.stdout.isatty() or os.environ.get("COLUMNS", "").isdigit()
    console = Console(width=None if has_width else _WIDTH)
    # Wider than asked for rather than with digits cut off.
    narrowest = sum(widths) + _BETWEEN * len(widths) + 1
    console.width = max(console.width, narrowest)
    # rich itself would end the program with status 1 if the reader has closed the pipe.
    with console.capture() as captured:
        console.print(table)
    print(captured.get(), end="")


def _is_number(word: str) -> bool:
    """Whether a word of a cell is a number, which may have a bracket or a comma beside it."""
    try:
        float(word.strip("[],"))
    except ValueError:
        return False
    return True
