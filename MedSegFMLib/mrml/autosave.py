"""Prompts and accepted segments in a folder, so that a crash of Slicer loses nothing."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from time import monotonic

from ..errors import OutputError, PromptError
from ..prompts.json_format import geometry_from_json, geometry_to_json
from ..system.atomic_files import write_text
from ..system.json_files import load_bytes, parse_json
from ..system.session_folder import SessionFolder
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
    """Saves to one file at a time, which is complete at any time.

    Args:
        folder: The folder of the file; it is made if it is missing.
        seconds: The shortest time between two saves.
        clock: Gives the time in seconds.
        session: The folder of this application, which then holds a folder for each scene and volume
            instead; None to save in `folder` itself.

    Attributes:
        path: The file that was saved last.
    """

    def __init__(
        self,
        folder: Path,
        seconds: float = 5.0,
        clock: Callable[[], float] = monotonic,
        session: SessionFolder | None = None,
    ) -> None:
        self._session = session
        self._scene = 1
        self.path = (Path(folder) if session is None else session.path) / _FILE
        self._seconds = seconds
        self._clock = clock
        self._saved_at = float("-inf")
        self._warned = False

    def is_due(self) -> bool:
        """Whether enough time has passed since the last save."""
        return self._clock() - self._saved_at >= self._seconds

    def begin_scene(self) -> None:
        """Keep what was saved: the work from now on is in another scene."""
        self._scene += 1

    def save(self, snapshot: Snapshot) -> str | None:
        """Save a snapshot.

        Returns:
            A sentence for the user if saving failed, once until a save succeeds again; else None.
        """
        self._saved_at = self._clock()
        try:
            if self._session is not None:
                self._session.claim()
                part = f"{self._scene}-{volume_key(snapshot.volume_name)}"
                self.path = self._session.path / part / _FILE
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
        return read_snapshot(self.path)

    def release(self) -> None:
        """End without deleting: what was saved is left for the next application."""
        if self._session is not None:
            self._session.release()

    def discard(self) -> None:
        """Remove what this application saved: it is in the scene, or is not wanted any more."""
        if self._session is not None:
            self._session.remove()
        else:
            self.path.unlink(missing_ok=True)


def volume_key(volume_name: str) -> str:
    """A short name for a file of a volume, which may be named after a patient."""
    return sha256(volume_name.encode()).hexdigest()[:16]


def saved_files(folder: Path) -> list[Path]:
    """The autosaves below a folder, those of earlier versions included, the newest first."""
    dated = []
    for path in folder.rglob(_FILE):
        with suppress(OSError):
            dated.append((path.stat().st_mtime, path))
    return [path for _, path in sorted(dated, reverse=True)]


def may_hold(path: Path, volume_name: str) -> bool:
    """Whether an autosave may be of a volume, by its folder's name alone."""
    key = path.parent.name.rpartition("-")[2]
    return len(key) != len(volume_key("")) or key == volume_key(volume_name)


def read_snapshot(path: Path) -> Snapshot | None:
    """Read an autosave; None if there is none.

    Raises:
        PromptError: If the file is damaged or cannot be read.
    """
    try:
        text = load_bytes(path, LARGEST_BYTES).decode()
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise PromptError(f"{path} cannot be read ({error}); remove it.") from error
    return snapshot_from_json(text)


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
