"""The work of a process, on this machine or another: load a model once, then run tasks with it."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray

from ...datasets.cases import LoadedCase, load_case
from ...errors import MedSegFMError
from ...model_choice import ModelChoice
from ...progress import no_progress
from ...segmenter import Segmenter
from ..protocol import Protocol
from ..records import Crash, Done, Failure, Outcome, Row, Task
from ..results.case_picture import write_picture
from .executor import ModelFailed
from .label_map_output import StepLabelMaps, label_maps_name
from .run_case import run_case


def open_model(
    text: str, device: str, choices: Mapping[str, ModelChoice]
) -> Segmenter | ModelFailed:
    """Load the model that the user specified; returns the reason if that fails."""
    try:
        return choices[text].create(device)
    except MedSegFMError as error:
        return ModelFailed(_one_line(error))
    except Exception as error:  # noqa: BLE001 - whatever it is, the other models continue
        return ModelFailed(_unexpected(error))


def run_task(
    task: Task, segmenter: Segmenter, protocol: Protocol, label_maps: Path | None = None
) -> Outcome:
    """The rows and the picture of a task, or its failure; raises no error.

    Args:
        task: the task.
        segmenter: the model.
        protocol: the protocol.
        label_maps: the folder for the label maps, if the protocol saves them.
    """
    begun = time.perf_counter()
    try:
        loaded = load_case(task.case)
        kept = _segs(loaded, task, protocol) if protocol.save_segs and label_maps else None
        rows, masks_kji = run_case(task, loaded, segmenter, protocol, no_progress, kept)
        if kept is not None and label_maps is not None:
            kept.write(label_maps / label_maps_name(task.key))
        picture = _picture(task, loaded, rows, masks_kji)
    except MedSegFMError as error:
        return Failure(*task.key, _one_line(error))
    except Exception as error:  # noqa: BLE001 - whatever it is, the other tasks continue
        return Crash(*task.key, _unexpected(error))
    return Done(rows, picture, time.perf_counter() - begun)


def _segs(loaded: LoadedCase, task: Task, protocol: Protocol) -> StepLabelMaps:
    labels = [value for value, _ in task.case.objects]
    return StepLabelMaps(loaded.label.array_kji.shape, labels, protocol)


def _picture(
    task: Task, loaded: LoadedCase, rows: list[Row], masks_kji: NDArray[np.uint8]
) -> bytes:
    """The picture as JPEG bytes, because the process may not reach the folder of the results."""
    final = np.mean([row.dsc for row in {row.object: row for row in rows}.values()])
    with TemporaryDirectory() as folder:
        path = Path(folder) / "picture.jpg"
        write_picture(task.case, loaded, masks_kji, f"{task.model}, Dice {final:.3f}", path)
        return path.read_bytes()


def _unexpected(error: Exception) -> str:
    return f"Unexpected {type(error).__name__} ({_one_line(error)})."


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())
