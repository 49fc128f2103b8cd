"""Telling another program what a training does: one JSON object a line on stdout.

    {"fraction": 0.1, "phrase": "step 30 of 300"}    now and then
    {"result": "FOLDER", "report": {…} or null}      in the end, with the report of the recipe
    {"error": "One sentence."}                       where it cannot go on

The end of the input, where that is a pipe, stops training as SIGTERM does: the state is saved. So
nothing trains on for a program that is gone, and one on Windows can ask for the stop too.
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
from ..worker.standard_streams import take_standard_streams

REPORT = "report.json"
_TOLD_SECONDS = 0.1


def tell_events(work: Callable[[Progress], tuple[Path, Path]]) -> None:
    """Do the work and tell of it; its errors are told and raised.

    work: trains, and gives the result's path and the folder with the recipe's report.
    """
    source, sink = take_standard_streams()
    is_pipe = stat.S_ISFIFO(os.fstat(source.fileno()).st_mode)
    unwanted = threading.Event()
    if is_pipe:
        threading.Thread(target=_stop_at_end, args=(source, unwanted), daemon=True).start()
    told = float("-inf")

    def progress(fraction: float, phrase: str) -> None:
        nonlocal told
        if unwanted.is_set():
            raise Cancelled("The training was stopped.")
        now = time.monotonic()
        if now - told >= _TOLD_SECONDS:
            told = now
            _tell(sink, {"fraction": fraction, "phrase": phrase})

    try:
        result, folder = work(progress)
    except Cancelled as cancelled:
        raise KeyboardInterrupt from cancelled
    except MedSegFMError as error:
        _tell(sink, {"error": " ".join(str(error).split())})
        raise
    _tell(sink, {"result": str(result), "report": read_report(folder)})


def read_report(folder: Path) -> Any:
    """What a recipe wrote of its result; None where it wrote nothing that can be read."""
    try:
        return json.loads((folder / REPORT).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def _tell(sink: BinaryIO, event: dict[str, Any]) -> None:
    # Of several processes that accelerate started the first one speaks.
    if os.environ.get("RANK", "0") != "0":
        return
    try:
        sink.write(json.dumps(event).encode() + b"\n")
        sink.flush()
    except OSError:
        # Nobody listens: the end of the input, which comes with that, stops the work in order.
        return


def _stop_at_end(source: BinaryIO, unwanted: threading.Event) -> None:
    while source.read(4096):
        pass
    unwanted.set()
    # Where no progress is told for long, as while the packages load.
    _thread.interrupt_main()
