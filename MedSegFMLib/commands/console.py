"""What commands share: a progress bar on stderr, tables on stdout."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from ..progress import Progress, no_progress

_WIDTH = 100


@contextmanager
def progress_bar(title: str) -> Iterator[Progress]:
    """A bar with phrase and elapsed time on stderr; nothing where that is no terminal."""
    if not sys.stderr.isatty():
        yield no_progress
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


def print_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """A plain table on stdout, as wide as the terminal; without one, as COLUMNS says, or 100."""
    from rich.box import SIMPLE
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=SIMPLE)
    for name in header:
        table.add_column(Text(name), overflow="fold")
    for row in rows:
        # Names may hold brackets, which are no markup.
        table.add_row(*map(Text, row))
    known = sys.stdout.isatty() or os.environ.get("COLUMNS", "").isdigit()
    console = Console(width=None if known else _WIDTH)
    # Printed by us: rich would end the program with status 1 where the reader has gone.
    with console.capture() as captured:
        console.print(table)
    print(captured.get(), end="")
