"""The work of a task, in any process."""

from __future__ import annotations

import functools
from pathlib import Path

import numpy as np

from ..cases import load_case
from ..errors import MedSegFMError
from ..progress import no_progress
from ..registry import create
from ..segmenter import Segmenter
from .picture import picture_name, write_picture
from .protocol import Protocol
from .records import Failure, Row, Task
from .run_case import run_case


def run_task(task: Task, pictures: Path, protocol: Protocol, device: str) -> list[Row] | Failure:
    """The rows of a task, its picture written to the folder `pictures`; raises no error."""
    try:
        segmenter = _model(task.model, device)
        loaded = load_case(task.case)
        rows, masks_kji = run_case(task, loaded, segmenter, protocol, no_progress)
        final = np.mean([row.dsc for row in rows if row.step == protocol.clicks])
        title = f"{task.model}, Dice {final:.3f}"
        write_picture(task.case, loaded, masks_kji, title, pictures / picture_name(task.key))
    except MedSegFMError as error:
        return Failure(*task.key, _one_line(error))
    except Exception as error:  # noqa: BLE001 - whatever it is, the other tasks go on
        reason = f"Unexpected {type(error).__name__} ({_one_line(error)})."
        return Failure(*task.key, reason)
    return rows


@functools.cache
def _model(name: str, device: str) -> Segmenter:
    """A process loads each model once."""
    return create(name, device)


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())
