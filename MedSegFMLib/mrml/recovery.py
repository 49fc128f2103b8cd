"""Recovery of work that was saved before an application ended unexpectedly."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

from ..errors import MedSegFMError
from ..system.session_folder import SessionFolder, take_orphan
from ..volumes.geometry import Geometry
from .autosave import Autosave, Snapshot, may_hold, read_snapshot, saved_files
from .logic import SegmentationLogic


class Recovery:
    """The work that applications have left which ended unexpectedly, the newest first.

    Each saves in a folder of its own, so that several of one user do not disturb each other.

    Args:
        folder: The folder that holds those of all applications of this user.

    Attributes:
        autosave: Saves the work of this application.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._session = SessionFolder(folder)
        self.autosave = self._autosave = Autosave(folder, session=self._session)
        self._files = self._orphaned()
        # The volume that was looked for last, and its work: file and contents.
        self._sought: tuple[str, Geometry] | None = None
        self._found: tuple[Path, Snapshot] | None = None

    def fits(self, logic: SegmentationLogic) -> bool:
        """Whether there is work to recover for the chosen volume, and none was begun on it."""
        return bool(self._files) and not logic.prompts.entries and self._seek(logic) is not None

    def recover(self, logic: SegmentationLogic) -> None:
        """Restore the newest work on the chosen volume.

        Raises:
            MedSegFMError: If another application is restoring it, or it does not fit the volume.
        """
        found = self._seek(logic)
        if found is None:
            return
        path, snapshot = found
        with ExitStack() as lock:
            if path.parent != self._folder:
                take_orphan(self._orphan(path), lock)
            logic.saved.recover(snapshot)
            # It is never without a copy on the disk.
            taken_up = logic.saved.snapshot()
            if taken_up is not None and self._autosave.save(taken_up) is None:
                path.unlink(missing_ok=True)
        self._forget(path)
        self._remove_if_empty(path)

    def begin_scene(self) -> None:
        """Keep what was saved: the scene closes."""
        self._autosave.begin_scene()

    def discard(self) -> None:
        """Delete what this application saved: it ends normally, and the work is in the scene."""
        self._autosave.discard()

    def _orphaned(self) -> list[Path]:
        folders = set(self._session.orphans())
        return [
            path
            for path in saved_files(self._folder)
            if path.parent == self._folder or self._orphan(path) in folders
        ]

    def _orphan(self, path: Path) -> Path:
        """The folder of the application that saved a file."""
        return self._folder / path.relative_to(self._folder).parts[0]

    def _seek(self, logic: SegmentationLogic) -> tuple[Path, Snapshot] | None:
        node, volume = logic.volume_node, logic.volume
        if node is None or volume is None:
            return None
        sought = (str(node.GetName()), volume.geometry)
        if sought != self._sought:
            self._found = next(self._fitting(*sought), None)
            self._sought = sought
        return self._found

    def _fitting(self, name: str, geometry: Geometry) -> Iterator[tuple[Path, Snapshot]]:
        for path in self._files:
            if not may_hold(path, name):
                continue
            try:
                found = read_snapshot(path)
            except MedSegFMError:
                # A damaged file cannot be recovered.
                continue
            if (
                found is not None
                and found.volume_name == name
                and geometry.matches(found.state.geometry or found.grid, tolerance_mm=0.01)
            ):
                yield path, found

    def _forget(self, path: Path) -> None:
        self._files.remove(path)
        self._sought = self._found = None

    def _remove_if_empty(self, path: Path) -> None:
        if path.parent == self._folder:
            return
        orphan = self._orphan(path)
        with suppress(OSError):
            path.parent.rmdir()
        if not saved_files(orphan):
            shutil.rmtree(orphan, ignore_errors=True)
