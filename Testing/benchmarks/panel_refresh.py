"""Main-thread time of the panel: a refresh after each prompt, and a tick in which nothing happens.

    PYTHONPATH=.:Testing/support python Testing/benchmarks/panel_refresh.py

Each prompt changes the size of the region, so that memory is estimated anew. The thread's own time
is measured, which other work on the machine does not lengthen.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

ROOT = Path(__file__).resolve().parents[2]
PROMPTS = 12


def milliseconds(action: Callable[[], object]) -> float:
    begin = time.thread_time()
    action()
    return 1000 * (time.thread_time() - begin)


def main() -> None:
    os.environ["MEDSEGFM_WEIGHTS"] = str(Path(tempfile.mkdtemp()) / "weights")
    from host import application
    from host.panel_driver import Desk

    application.start()
    desk = Desk(application.load_module(ROOT / "MedSegFM" / "MedSegFM.py"))
    panel = desk.panel
    desk.load((40, 80, 80))
    panel.parameters.model = type(panel.parameters.model)["ellipsoid"]
    refreshes, ticks = [], []
    for n in range(PROMPTS):
        desk.draw_box((20 - n, 20 - n, 20), (50 + n, 50 + n, 40))
        desk.wait(lambda n=n: len(panel.logic.prompts.entries) == n + 1)
        desk.wait()
        panel.models._shown = (panel.models.card.name, -1)
        refreshes.append(milliseconds(panel.refresh))
        ticks.append(milliseconds(panel.pump))
    desk.close()
    for name, found in (("refresh after a prompt", refreshes), ("idle tick", ticks)):
        print(f"{name}: median {median(found):.2f} ms, longest {max(found):.2f} ms")


if __name__ == "__main__":
    main()
