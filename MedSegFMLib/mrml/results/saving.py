"""Saves the results of a scene; what takes long is done by another process."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

from ...errors import OutputError
from ...results.formats import Result, ResultFormat, formats
from ...results.ledger import weights_of
from ...system.atomic_files import write_text
from ...volumes.segmentations.dicom_write import Algorithm
from ...volumes.segmentations.segmentation import Segmentation
from ...worker.export_program import ExportJob, ExportLauncher
from ...worker.training_process import Finished, TrainingProcess
from ..logic import SegmentationLogic
from .dicom_images import image_files, stamp
from .scene_result import file_geometry, file_result

_SEGMENTS, _JOB = "segments.seg.nrrd", "job.json"


@dataclass(frozen=True)
class Saved:
    """The end of saving.

    Attributes:
        path: The file.
        error: Why it was not written; "" if it was, or if saving was stopped.
        stopped: Whether the user stopped it.
    """

    path: Path
    error: str = ""
    stopped: bool = False


class Saving:
    """Saves one file at a time.

    Args:
        logic: The scene logic.

    Attributes:
        fraction, phrase: How far it is, 0 to 1, and what it does.
    """

    def __init__(self, logic: SegmentationLogic) -> None:
        self._logic = logic
        self._process: TrainingProcess | None = None
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._path = Path()
        # The formats that were offered last, and for what.
        self._offered: list[ResultFormat] = []
        self._offered_for: tuple[object, ...] = ()
        self.fraction, self.phrase = 0.0, ""

    @property
    def is_busy(self) -> bool:
        """Whether a file is being written by another process."""
        return self._process is not None

    def offered(self) -> list[ResultFormat]:
        """The formats that the chosen volume can be saved in."""
        node = self._logic.volume_node
        known = (node, stamp(node))
        if known != self._offered_for:
            # Hundreds of files are looked for, so not with each refresh of a panel.
            has_images = bool(image_files(node))
            self._offered = [item for item in formats() if has_images or not item.needs_images]
            self._offered_for = known
        return self._offered

    def start(self, item: ResultFormat, name: str) -> Saved | None:
        """Save the segments of all objects.

        Args:
            item: The format.
            name: The file's name; an ending is added if it has none of the format.

        Returns:
            The end; None if it is awaited, see `poll`.

        Raises:
            OutputError: If the file cannot be written, or another one is being written.
            MaskError: If there is no segment.
            VolumeError: If no volume is chosen.
        """
        if self.is_busy:
            raise OutputError(f"{self._path} is still being written; wait for it, or cancel it.")
        path = item.path(name)
        segmentation = self._segmentation(item)
        if not item.needs_images:
            item.write(Result(segmentation), path)
            return Saved(path)
        images = image_files(self._logic.volume_node)
        if not images:
            raise OutputError(
                f"{path} would refer to DICOM images, which Slicer's database does not have for "
                "this volume; load it from the DICOM module, or write .seg.nrrd instead."
            )
        # The names of the images may be a patient's; the folder is removed in the end.
        self._folder = tempfile.TemporaryDirectory(prefix="medsegfm-")
        folder = Path(self._folder.name)
        segmentation.write(folder / _SEGMENTS)
        model = self._logic.requests.model
        weights = weights_of(model.name, model.options)
        algorithm = Algorithm(model.name, weights=next(iter(weights.values()), ""))
        geometry = file_geometry(self._logic)
        job = ExportJob(item.key, path, folder / _SEGMENTS, geometry, images, algorithm)
        write_text(folder / _JOB, job.to_json())
        self._path = path
        self.fraction, self.phrase = 0.0, ""
        self._process = TrainingProcess(ExportLauncher(folder / _JOB), f"Saving {path}")
        return None

    def _segmentation(self, item: ResultFormat) -> Segmentation:
        """The segments; label maps, which hold no ledger, are where the scene shows them."""
        if item.has_layers:
            return file_result(self._logic)
        names = dict(self._logic.prompts.objects)
        return Segmentation.from_labelmap(self._logic.objects.to_labels(), names)

    def poll(self) -> Saved | None:
        """Follow the other process; it never waits long.

        Returns:
            The end, once it has come.
        """
        if self._process is None:
            return None
        for event in self._process.poll():
            if isinstance(event, Finished):
                self._forget()
                stopped = event.result is None and event.error is None
                return Saved(self._path, event.error or "", stopped)
            self.fraction, self.phrase = event.fraction, event.phrase
        return None

    def cancel(self) -> None:
        """Stop writing; no file is left behind. The end comes with `poll`."""
        if self._process is not None:
            self._process.stop()

    def close(self) -> None:
        """End at once, without the file."""
        if self._process is not None:
            self._process.kill()
            self._forget()

    def _forget(self) -> None:
        self._process = None
        if self._folder is not None:
            self._folder.cleanup()
            self._folder = None
