"""The files that a result can be saved as: one list, for every interface that offers them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import OutputError
from ..system.atomic_files import write_text
from ..system.suggestions import with_suggestion
from ..volumes.segmentations.dicom_source import RTSTRUCT, SEG_DICOM
from ..volumes.segmentations.files import SEG_NRRD
from ..volumes.segmentations.segmentation import Segmentation

if TYPE_CHECKING:
    from ..volumes.segmentations.dicom_source import Source
    from ..volumes.segmentations.dicom_write import Algorithm


@dataclass(frozen=True)
class Result:
    """A result to save.

    Attributes:
        segmentation: the segments, with their ledger.
        source: the DICOM images that they were made from, on whose grid they are; None for others.
        algorithm: what made them; None if that is not wanted.
    """

    segmentation: Segmentation
    source: Source | None = None
    algorithm: Algorithm | None = None


@dataclass(frozen=True)
class ResultFormat:
    """A file that a result can be saved as.

    Attributes:
        key: its name for programs.
        title: its name for users.
        endings: of its files; the first is added to a name without one.
        write: writes a file, atomically.
        needs_images: whether it refers to DICOM images, which a result then needs.
        has_layers: whether segments may overlap in it.
    """

    key: str
    title: str
    endings: tuple[str, ...]
    write: Callable[[Result, Path], None]
    needs_images: bool = False
    has_layers: bool = True

    def path(self, name: str) -> Path:
        """The file of a name, with an ending of this format."""
        known = name.lower().endswith(self.endings)
        return Path(name if known else f"{name}{self.endings[0]}")


def format_of(key: str) -> ResultFormat:
    """The format of a key.

    Raises:
        OutputError: there is none.
    """
    found = next((item for item in formats() if item.key == key), None)
    if found is None:
        known = [item.key for item in formats()]
        raise OutputError(
            f"There is no format {with_suggestion(key, known)} of results; use one of "
            f"{', '.join(known)}."
        )
    return found


def formats() -> tuple[ResultFormat, ...]:
    """All formats, the most used first."""
    from ..volumes.io.image_files import WRITERS

    maps = tuple(ending for ending in WRITERS if ending != SEG_NRRD)
    # The usual ending of compressed label maps first.
    maps = tuple(sorted(maps, key=lambda ending: ending != ".nii.gz"))
    return (
        ResultFormat("labelmap", "Label map", maps, _write_segmentation, has_layers=False),
        ResultFormat("segnrrd", "Slicer segmentation", (SEG_NRRD,), _write_segmentation),
        ResultFormat("dicomseg", "DICOM SEG", (SEG_DICOM,), _write_dicom_seg, needs_images=True),
        ResultFormat(
            "rtstruct", "RTSTRUCT contours", (RTSTRUCT,), _write_rtstruct, needs_images=True
        ),
        ResultFormat("ledger", "Click ledger", (".json",), _write_ledger),
    )


def _write_segmentation(result: Result, path: Path) -> None:
    segmentation = result.segmentation
    if path.name.lower().endswith(SEG_NRRD):
        segmentation.write(path)
        return
    names = {segment.label: segment.name for segment in segmentation.segments}
    segmentation.labelmap().write(path, names)


def _write_dicom_seg(result: Result, path: Path) -> None:
    from ..volumes.segmentations.dicom_write import Algorithm, write_dicom_seg

    assert result.source is not None, "formats that need images get them"
    algorithm = result.algorithm or Algorithm("unknown")
    write_dicom_seg(result.segmentation, path, result.source, algorithm)


def _write_rtstruct(result: Result, path: Path) -> None:
    from ..volumes.segmentations.dicom_write import Algorithm
    from ..volumes.segmentations.rtstruct_write import write_rtstruct

    assert result.source is not None, "formats that need images get them"
    algorithm = result.algorithm or Algorithm("unknown")
    write_rtstruct(result.segmentation, path, result.source, algorithm)


def _write_ledger(result: Result, path: Path) -> None:
    write_text(path, result.segmentation.ledger + "\n")
