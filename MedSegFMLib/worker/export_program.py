"""The program that saves a result which refers to DICOM images, so that its caller need not wait.

`python -m MedSegFMLib.worker.export_program JOB.json` prints events as `medsegfm train --events`
does. It stops at the end of its input, and then leaves no file behind.
"""

from __future__ import annotations

import _thread
import json
import sys
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO

from ..errors import MedSegFMError, OutputError
from ..prompts.json_format import geometry_from_json, geometry_to_json
from ..results.formats import Result, format_of
from ..system.json_files import load_json
from ..system.library_program import library_environment, program
from ..volumes.geometry import Geometry
from ..volumes.grids import brought_to_grid, have_same_voxels
from ..volumes.segmentations.dicom_source import Source, source_of_files
from ..volumes.segmentations.dicom_write import Algorithm, check_source
from ..volumes.segmentations.segmentation import Segment, Segmentation
from .standard_streams import take_standard_streams

# As __main__, this module has another name.
_MODULE = "MedSegFMLib.worker.export_program"
_INTERRUPTED = 130
_LARGEST_JOB_BYTES = 64_000_000


@dataclass(frozen=True)
class ExportJob:
    """A result, and the file it is saved to.

    Attributes:
        key: the format, as in `results.formats`.
        out: the file to write.
        segments: a .seg.nrrd file with the segments and their ledger, in the space of the images.
        volume: the grid of the volume in that space.
        images: the files of the volume's images.
        algorithm: what made the segments.
    """

    key: str
    out: Path
    segments: Path
    volume: Geometry
    images: Sequence[Path]
    algorithm: Algorithm

    def to_json(self) -> str:
        """The job as JSON text."""
        algorithm = vars(self.algorithm)
        files = {"out": str(self.out), "segments": str(self.segments)}
        images = [str(path) for path in self.images]
        volume = geometry_to_json(self.volume)
        return json.dumps(
            {"key": self.key, **files, "volume": volume, "images": images, "algorithm": algorithm}
        )

    @classmethod
    def read(cls, path: Path) -> ExportJob:
        """Read the file that holds what `to_json` gave."""
        item = load_json(path, dict, _LARGEST_JOB_BYTES)
        return cls(
            item["key"],
            Path(item["out"]),
            Path(item["segments"]),
            geometry_from_json(item["volume"]),
            [Path(name) for name in item["images"]],
            Algorithm(**item["algorithm"]),
        )


@dataclass(frozen=True)
class ExportLauncher:
    """This program, for `TrainingProcess`.

    Attributes:
        job: the file of the job.
    """

    job: Path

    def arguments(self) -> list[str]:
        """Python with this module."""
        return program(_MODULE, str(self.job))

    def environment(self) -> Mapping[str, str]:
        """The environment of this process, with the library on Python's path."""
        return library_environment()


def save(job: ExportJob, progress: Any) -> None:
    """Do a job.

    Raises:
        OutputError: the volume is not on the grid of its images, or the file cannot be written.
        MaskError: no segment is on it.
    """
    progress(0.05, "Reading the headers of the images")
    source = source_of_files(job.out, job.images)
    if not have_same_voxels(job.volume, source.geometry):
        raise OutputError(
            f"{job.out} cannot refer to the DICOM images, because the volume is not on their grid "
            "any more (it was resampled or moved); write .seg.nrrd instead."
        )
    check_source(source, job.out)
    progress(0.6, "Writing the segments")
    segmentation = _on_images(Segmentation.read(job.segments), source)
    format_of(job.key).write(Result(segmentation, source, job.algorithm), job.out)
    progress(1.0, "Writing the segments")


def _on_images(segmentation: Segmentation, source: Source) -> Segmentation:
    """The segments on the grid of the images: nearest voxels, the same ones if those agree."""
    segments: list[Segment] = []
    for segment in segmentation.segments:
        part = segmentation.geometry.crop(segment.region)
        brought = brought_to_grid(segment.mask_kji, part, source.geometry)
        if brought is not None:
            region, mask = brought
            segments.append(replace(segment, region=region, mask_kji=mask, probability_kji=None))
    return replace(segmentation, geometry=source.geometry, segments=tuple(segments))


def main(arguments: Sequence[str]) -> int:
    """Do the job of a file and print events; returns the exit status."""
    given, sink = take_standard_streams()
    threading.Thread(target=_stop_at_end, args=(given,), daemon=True).start()

    def event(**values: Any) -> None:
        sink.write(json.dumps(values).encode() + b"\n")
        sink.flush()

    try:
        job = ExportJob.read(Path(arguments[0]))
        save(job, lambda fraction, phrase: event(fraction=fraction, phrase=phrase))
    except KeyboardInterrupt:
        return _INTERRUPTED
    except (MedSegFMError, OSError) as error:
        event(error=" ".join(str(error).split()))
        return 2
    event(result=str(job.out), report=None)
    return 0


def _stop_at_end(stream: BinaryIO) -> None:
    while stream.read(4096):
        pass
    _thread.interrupt_main()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
