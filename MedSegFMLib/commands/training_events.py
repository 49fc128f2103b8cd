"""Progress and result of a training for another program: JSON objects, one per line on stdout.

    {"fraction": 0.1, "phrase": "step 30 of 300"}    from time to time
    {"result": "FOLDER", "report": {…} or null}      at the end, with the report of the recipe
    {"error": "One sentence."}                       on failure

The end of the input, if that is a pipe, stops training like SIGTERM: the state is saved. So
training does not continue after the other program has ended, and a program on Windows can stop it
too.
"""

from __future__ import annotations

import _thread
import json
import os
import stat
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

from ..errors import Cancelled, MedSegFMError
from ..progress import Progress
from ..system.json_files import load_json
from ..worker.standard_streams import take_standard_streams

REPORT = "report.json"
_EVENT_SECONDS = 0.1


def print_events(work: Callable[[Progress], tuple[Path, Path]]) -> None:
    """Run the training and print its events; its errors are printed and raised.

    Args:
        work: trains, and returns the path of the result and the folder with the recipe's report.
    """
    source, sink = take_standard_streams()
    is_pipe = stat.S_ISFIFO(os.fstat(source.fileno()).st_mode)
    stop_requested = threading.Event()
    if is_pipe:
        threading.Thread(target=_stop_at_end, args=(source, stop_requested), daemon=True).start()
    last_event = float("-inf")

    def progress(fraction: float, phrase: str) -> None:
        nonlocal last_event
        if stop_requested.is_set():
            raise Cancelled("The training was stopped.")
        now = time.monotonic()
        if now - last_event >= _EVENT_SECONDS:
            last_event = now
            _print_event(sink, {"fraction": fraction, "phrase": phrase})

    try:
        result, folder = work(progress)
    except Cancelled as cancelled:
        raise KeyboardInterrupt from cancelled
    except MedSegFMError as error:
        _print_event(sink, {"error": " ".join(str(error).split())})
        raise
    _print_event(sink, {"result": str(result), "report": read_report(folder)})


def read_report(folder: Path) -> Any:
    """A recipe's report of its result; None if there is no readable one."""
    try:
        return load_json(folder / REPORT)
    except (OSError, ValueError):
        return None


def _print_event(sink: BinaryIO, event: dict[str, Any]) -> None:
    # Only the first of several processes started by accelerate prints.
    if os.environ.get("RANK", "0") != "0":
        return
    try:
        sink.write(json.dumps(event).encode() + b"\n")
        sink.flush()
    except OSError:
        # The reader is gone. The end of the input, which follows, stops the training in order.
        return


def _stop_at_end(source: BinaryIO, stop_requested: threading.Event) -> None:
    while source.read(4096):
        pass
    stop_requested.set()
    # For long times without progress reports, such as the import of packages.
    _thread.interrupt_main()
