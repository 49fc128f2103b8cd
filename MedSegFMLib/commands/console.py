"""What commands share: a progress bar on stderr, tables on stdout."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from types import FrameType

from ..progress import Progress

_WIDTH = 100
# Where there is no terminal: no line sooner after the last one, and one at least so often.
_LEAST_SECONDS, _MOST_SECONDS = 30.0, 60.0


@contextmanager
def progress_bar(title: str) -> Iterator[Progress]:
    """A bar with phrase and elapsed time on stderr; a line now and then where that is no terminal.

    Ctrl-C is answered by a word at once, for what has to be ended may take a moment.
    """
    with _word_at_ctrl_c():
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
    """Progress as plain lines, for a log: at each tenth of what takes long, and each minute."""

    def __init__(self, title: str) -> None:
        self._title = title
        self._said, self._tenths = time.monotonic(), 0

    def __call__(self, fraction: float, phrase: str) -> None:
        """Print a line where it is time for one."""
        now, tenths = time.monotonic(), int(fraction * 10)
        since = now - self._said
        if since >= _MOST_SECONDS or (tenths > self._tenths and since >= _LEAST_SECONDS):
            self._said, self._tenths = now, tenths
            print(f"{self._title}: {100 * fraction:.0f} %, {phrase}", file=sys.stderr, flush=True)


@contextmanager
def _word_at_ctrl_c() -> Iterator[None]:
    """Only where Ctrl-C is answered by Python alone; a program around this one may do otherwise."""
    is_usual = signal.getsignal(signal.SIGINT) is signal.default_int_handler
    if not is_usual or threading.current_thread() is not threading.main_thread():
        yield
        return

    def answer(number: int, frame: FrameType | None) -> None:
        # The next one is answered as usual.
        signal.signal(signal.SIGINT, signal.default_int_handler)
        with suppress(OSError):
            os.write(2, b"medsegfm: stopping\n")
        raise KeyboardInterrupt

    signal.signal(signal.SIGINT, answer)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)


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
