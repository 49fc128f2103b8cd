"""The work of a process, on this machine or another: the rows and the picture of a task."""

from __future__ import annotations

import time
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray

from ...datasets.loading import LoadedCase, load_case
from ...progress import no_progress
from ...segmenter import Segmenter
from ...tasks.attempt import attempt
from ...volumes.windows import Window
from ..protocol import Protocol
from ..records import Done, Outcome, Row, Task
from ..results.case_picture import write_picture
from .label_map_output import StepLabelMaps, label_maps_name
from .run_case import run_case


def run_task(
    task: Task,
    segmenter: Segmenter,
    protocol: Protocol,
    label_maps: Path | None = None,
    window: Window | None = None,
) -> Outcome:
    """The rows and the picture of a task, or its failure; raises no error.

    Args:
        task: the task.
        segmenter: the model.
        protocol: the protocol.
        label_maps: the folder for the label maps, if the protocol saves them.
        window: the window of the picture; None for the one that fits.
    """
    return attempt(task, lambda: _run(task, segmenter, protocol, label_maps, window))


def _run(
    task: Task,
    segmenter: Segmenter,
    protocol: Protocol,
    label_maps: Path | None,
    window: Window | None,
) -> Done:
    begun = time.perf_counter()
    loaded = load_case(task.case)
    kept = _segs(loaded, task, protocol) if protocol.save_segs and label_maps else None
    rows, masks_kji = run_case(task, loaded, segmenter, protocol, no_progress, kept)
    if kept is not None and label_maps is not None:
        kept.write(label_maps / label_maps_name(task.key))
    picture = _picture(task, loaded, rows, masks_kji, window)
    return Done(rows, picture, time.perf_counter() - begun)


def _segs(loaded: LoadedCase, task: Task, protocol: Protocol) -> StepLabelMaps:
    labels = [value for value, _ in task.case.objects]
    return StepLabelMaps(loaded.label.array_kji.shape, labels, protocol)


def _picture(
    task: Task,
    loaded: LoadedCase,
    rows: list[Row],
    masks_kji: NDArray[np.uint8],
    window: Window | None,
) -> bytes:
    """The picture as JPEG bytes, because the process may not reach the folder of the results."""
    final = np.mean([row.dsc for row in {row.object: row for row in rows}.values()])
    with TemporaryDirectory() as folder:
        path = Path(folder) / "picture.jpg"
        title = f"{task.model}, Dice {final:.3f}"
        write_picture(task.case, loaded, masks_kji, title, path, window)
        return path.read_bytes()
