"""Prompts and accepted segments in a folder, so that a crash of Slicer loses nothing."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from time import monotonic

from ..errors import OutputError, PromptError
from ..prompts.json_format import geometry_from_json, geometry_to_json
from ..system.atomic_files import write_text
from ..system.json_files import load_bytes, parse_json
from ..volumes.geometry import Geometry
from .scene_state import (
    LARGEST_BYTES,
    SceneState,
    state_from_json,
    state_to_json,
    stored_label,
    voxels_from_json,
    voxels_to_json,
)
from .segments.model_voxels import ModelVoxels

_FORMAT = "medsegfm-autosave"
_FILE = "medsegfm-autosave.json"


@dataclass(frozen=True)
class Snapshot:
    """The contents of an autosave.

    Attributes:
        state: The state of the segmentation.
        volume_name: The name of the volume's node.
        grid: The segmentation's grid, in RAS millimetres.
        segments: All voxels of each object's segment, by label, on that grid.
    """

    state: SceneState
    volume_name: str
    grid: Geometry
    segments: Mapping[int, ModelVoxels]


class Autosave:
    """Saves to one file, which is complete at any time.

    Args:
        folder: The folder of the file; it is made if it is missing.
        seconds: The shortest time between two saves.
        clock: Gives the time in seconds.
    """

    def __init__(
        self, folder: Path, seconds: float = 5.0, clock: Callable[[], float] = monotonic
    ) -> None:
        self.path = Path(folder) / _FILE
        self._seconds = seconds
        self._clock = clock
        self._saved_at = float("-inf")
        self._warned = False

    def is_due(self) -> bool:
        """Whether enough time has passed since the last save."""
        return self._clock() - self._saved_at >= self._seconds

    def save(self, snapshot: Snapshot) -> str | None:
        """Save a snapshot.

        Returns:
            A sentence for the user if saving failed, once until a save succeeds again; else None.
        """
        self._saved_at = self._clock()
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            write_text(self.path, snapshot_to_json(snapshot))
        except OSError as error:
            if self._warned:
                return None
            self._warned = True
            reason = str(error) if isinstance(error, OutputError) else f"{self.path}: {error}."
            return f"Your work goes on, but it is not saved automatically: {reason}"
        self._warned = False
        return None

    def read(self) -> Snapshot | None:
        """The snapshot that was saved last; None if there is none.

        Raises:
            PromptError: If the file is damaged or cannot be read.
        """
        try:
            text = load_bytes(self.path, LARGEST_BYTES).decode()
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            raise PromptError(f"{self.path} cannot be read ({error}); remove it.") from error
        return snapshot_from_json(text)

    def discard(self) -> None:
        """Remove the file: the work was saved with the scene, or is not wanted any more."""
        self.path.unlink(missing_ok=True)


def snapshot_to_json(snapshot: Snapshot) -> str:
    """The snapshot as JSON text."""
    document = {
        "format": _FORMAT,
        "volume": snapshot.volume_name,
        "grid": geometry_to_json(snapshot.grid),
        "state": json.loads(state_to_json(snapshot.state)),
        "segments": {str(n): voxels_to_json(mask) for n, mask in snapshot.segments.items()},
    }
    return json.dumps(document)


def snapshot_from_json(text: str) -> Snapshot:
    """Read a snapshot that `snapshot_to_json` wrote.

    Raises:
        PromptError: If it is damaged.
    """
    try:
        document = parse_json(text, dict, LARGEST_BYTES)
        if document["format"] != _FORMAT:
            raise PromptError(f"'{document['format']}' is no autosave of MedSegFM; remove it.")
        return Snapshot(
            state_from_json(json.dumps(document["state"])),
            str(document["volume"]),
            geometry_from_json(document["grid"]),
            {stored_label(n): voxels_from_json(item) for n, item in document["segments"].items()},
        )
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
        if isinstance(error, PromptError):
            raise
        raise PromptError(f"The autosave is damaged ({error!r}); remove it.") from error
