"""The result of `medsegfm segment`: its options, its checks before the model, and its files."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import OutputError
from ..progress import Progress
from ..prompts.prompt_list import PromptList
from ..system.atomic_files import write_text
from ..volumes.segmentations.dicom_source import RTSTRUCT, SEG_DICOM, dicom_kind
from ..volumes.segmentations.files import SEG_NRRD, has_layers
from ..volumes.segmentations.segmentation import Segmentation
from ..volumes.segmentations.treatment import Treatment, treated
from ..volumes.volume import Volume

if TYPE_CHECKING:
    from ..session.session import Session
    from ..volumes.segmentations.dicom_source import Source


def add_result_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what may be done to a result after the model."""
    group = parser.add_argument_group("result", "What is done after the model; nothing by default.")
    group.add_argument(
        "--largest", action="store_true", help="keep only the largest part of an object"
    )
    group.add_argument("--fill-holes", action="store_true", help="fill what an object encloses")
    group.add_argument(
        "--smooth",
        type=float,
        default=0.0,
        metavar="MM",
        help="smooth surfaces by a Gaussian of this standard deviation in mm",
    )
    group.add_argument(
        "--min-volume",
        type=float,
        default=0.0,
        metavar="ML",
        help="remove parts smaller than this, in ml",
    )
    group.add_argument(
        "--fractional", action="store_true", help="store probabilities, for --out FILE.dcm"
    )


def treatment_of(arguments: argparse.Namespace) -> Treatment:
    """The treatment of a command line.

    Raises:
        MaskError: a number is negative or not finite.
    """
    return Treatment(
        arguments.fill_holes, arguments.smooth, arguments.min_volume, arguments.largest
    )


def check_numbers(path: Path) -> None:
    """Check that a file may hold a map of numbers.

    Raises:
        OutputError: its format holds segments.
    """
    if has_layers(path):
        raise OutputError(f"{path} holds segments and no map of numbers; use .nrrd or .nii.gz.")


@dataclass
class Output:
    """The files of a result.

    Attributes:
        path: the file to write.
        fractional: whether probabilities are stored.
        treatment: what is done after the model.
    """

    path: Path
    fractional: bool = False
    treatment: Treatment = field(default_factory=Treatment)
    _source: Source | None = field(default=None, init=False)

    @property
    def is_dicom(self) -> bool:
        """Whether it is DICOM SEG or RTSTRUCT."""
        return self.path.name.lower().endswith(SEG_DICOM)

    @property
    def label_maps(self) -> list[Path]:
        """The file, if an image format holds it."""
        return [] if self.is_dicom else [self.path]

    @property
    def files(self) -> list[Path]:
        """Every file that is written."""
        from ..results.ledger import sidecar_of

        return [self.path] if has_layers(self.path) else [self.path, sidecar_of(self.path)]

    def check(self) -> None:
        """Check the ending and what goes with it, before anything is read."""
        from ..volumes.io.image_files import WRITERS

        if not self.path.name.lower().endswith((*WRITERS, SEG_DICOM)):
            raise OutputError(
                f"{self.path} has an ending that is not written; use one of "
                f"{', '.join(WRITERS)}, or {SEG_DICOM} or {RTSTRUCT} for a DICOM series."
            )
        if self.fractional and not (self.is_dicom and dicom_kind(self.path) == "DICOM SEG"):
            raise OutputError(f"--fractional is for DICOM SEG and {self.path} is not; use .dcm.")
        if self.fractional and not self.treatment.is_none:
            raise OutputError(
                f"{self.path} cannot be fractional after --smooth, --largest, --fill-holes or "
                "--min-volume, which change masks and no probabilities; leave one of them out."
            )

    def check_source(self, arguments: argparse.Namespace) -> None:
        """Check that a DICOM object can refer to the images, before the model runs."""
        if not self.is_dicom:
            return
        from ..volumes.segmentations.dicom_source import read_source
        from ..volumes.segmentations.dicom_write import check_source

        volume = Path(arguments.volume)
        self._source = read_source(self.path, volume, arguments.series, arguments.frame)
        check_source(self._source, self.path, self.fractional)

    def segments(self, session: Session, progress: Progress) -> Segmentation:
        """The objects of a session, treated; they overlap only if the format has layers."""
        return treated(session.segmentation(progress, has_layers(self.path)), self.treatment)

    def flattened(self, session: Session) -> list[str]:
        """A line for each overlap that a label map does not hold."""
        if has_layers(self.path) or len(session.prompts.labels) < 2:
            return []
        return [
            f"{one.name} and {other.name} overlap in {voxels} voxels, which a label map gives to "
            f"one of them; {SEG_NRRD} keeps both."
            for one, other, voxels in session.segmentation(overlapping=True).overlaps()
        ]

    def write(
        self,
        segmentation: Segmentation,
        volume: Volume,
        model: str,
        prompts: PromptList,
        arguments: argparse.Namespace,
        options: Mapping[str, str],
        automatic: bool,
        overlapping: bool | None = None,
        asked_with: tuple[str, ...] | None = None,
    ) -> None:
        """Write the file with its ledger; a label map has it beside it.

        Args:
            segmentation: the objects, on the volume's grid.
            volume: the volume, with the images that the model took.
            model: the model's name.
            prompts: the prompts of the objects.
            arguments: the command line, of which `frame` and `suv` are recorded.
            options: the model's options.
            automatic: whether no user gave the prompts.
            overlapping: whether objects were predicted so that they may overlap; None if they were
                in a format with layers.
            asked_with: see `Ledger.asked_with`.
        """
        # Not at the start of the command: it reads the versions of packages.
        from ..results.ledger import (
            Ledger,
            digest_of,
            digest_of_result,
            digests_of_images,
            sidecar_of,
            stored_options,
            versions,
            weights_of,
        )

        weights = weights_of(model, options)
        ledger = Ledger(
            model,
            stored_options(model, options),
            weights,
            volume.geometry,
            digest_of(volume),
            prompts,
            arguments.frame,
            arguments.suv,
            has_layers(self.path) if overlapping is None else overlapping,
            self.treatment,
            versions(),
            digest_of_result(segmentation, volume.geometry),
            asked_with=asked_with,
            images=digests_of_images(volume),
            primary=volume.primary,
        ).to_json()
        segmentation = replace(segmentation, ledger=ledger)
        if self._source is not None:
            digest = next(iter(weights.values()), "")
            self._write_dicom(segmentation, self._source, model, digest, automatic)
            return
        segmentation.write(self.path)
        if not has_layers(self.path):
            write_text(sidecar_of(self.path), ledger + "\n")

    def _write_dicom(
        self,
        segmentation: Segmentation,
        source: Source,
        model: str,
        weights_sha256: str,
        automatic: bool,
    ) -> None:
        from ..volumes.segmentations.dicom_write import Algorithm, write_dicom_seg
        from ..volumes.segmentations.rtstruct_write import write_rtstruct

        algorithm = Algorithm(model, weights=weights_sha256, automatic=automatic)
        if dicom_kind(self.path) == "RTSTRUCT":
            write_rtstruct(segmentation, self.path, source, algorithm)
        else:
            write_dicom_seg(segmentation, self.path, source, algorithm, self.fractional)
