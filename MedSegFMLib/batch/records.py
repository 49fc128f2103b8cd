"""Records of a batch: its jobs, and what is known of each object and slice that they segmented."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import dataclass, field
from math import isnan
from pathlib import Path

from ..registry import create
from ..segmenter import Segmenter
from ..tasks.records import Key


@dataclass(frozen=True)
class BatchModel:
    """A model with its options.

    Attributes:
        text: the name with the options, as the table shows it; unique for each of them.
        name: its registered name.
        options: the options of its `create`.
    """

    text: str
    name: str
    options: Mapping[str, str]

    def create(self, device: str) -> Segmenter:
        """Load the model.

        Raises:
            MedSegFMError: as `registry.create`.
        """
        return create(self.name, device, **self.options)


@dataclass(frozen=True)
class Job:
    """One volume of a batch.

    Attributes:
        name: its unique name, the case of the tables.
        model: the text of its `BatchModel`.
        volume: the file or folder.
        output: the file to write.
        arguments: the command line of `medsegfm segment` for it.
        inputs: the other files that it reads.
        is_named: whether the user chose the name, so that no text shows the file's instead.
    """

    name: str
    model: str
    volume: Path
    output: Path
    arguments: argparse.Namespace
    inputs: tuple[Path, ...] = ()
    is_named: bool = False

    @property
    def key(self) -> Key:
        """The key of the job in a run."""
        return self.name, self.model, 0


@dataclass(frozen=True)
class ObjectRow:
    """An object of a case; a row of results.csv.

    Attributes:
        case: the case.
        object: the name of the object.
        label: its label.
        frame: the volume of several on one grid, from 1; 0 if there is one only.
        model: the model with its options.
        voxels: its voxels.
        ml: its volume in millilitres.
        expected_dice: how sure the model is, 0 to 1; NaN if nothing was found.
        lower_bound: the Dice that it has at least in 9 of 10 cases; NaN if that is not known.
        agreement: the mean Dice of the three planes; NaN if they were not compared.
        wrong_ml: the expected volume of wrong voxels.
        worst_slice: the slice along k, from 0, with the most of them; -1 if there is none.
        seconds: the time of the whole case, with reading and writing.
        objects: the number of objects of the case, each of which has a row.
        notes: what the user should know of the case.
        output: the file of the result, in the folder of the batch unless it is absolute.
        output_sha256: of that file as it was written.
        inputs_sha256: of all that the case was made from.
    """

    case: str
    object: str
    label: int
    frame: int
    model: str
    voxels: int
    ml: float
    expected_dice: float
    lower_bound: float
    agreement: float
    wrong_ml: float
    worst_slice: int
    seconds: float
    objects: int
    notes: str
    output: str
    output_sha256: str
    inputs_sha256: str

    @property
    def title(self) -> str:
        """The object with the volume of several that it is in, as all lists show it."""
        return f"{self.object}, frame {self.frame}" if self.frame else self.object

    @property
    def expected_text(self) -> str:
        """The expected Dice for the user."""
        return "nothing found" if isnan(self.expected_dice) else f"{self.expected_dice:.3f}"

    @property
    def bound_text(self) -> str:
        """The lower bound for the user; a dash if there is none, or it says nothing."""
        # Batches of 0.2.0 hold bounds of 0.
        return f"{self.lower_bound:.2f}" if self.lower_bound >= 0.005 else "–"


@dataclass(frozen=True)
class SliceRow:
    """A slice of an object, one of the ten that are most likely wrong; a row of slices.csv.

    Attributes:
        case, object: the object.
        frame: as in `ObjectRow`.
        slice: its index along k, from 0.
        wrong_mm2: the expected area of wrong voxels.
        expected_dice: of the slice; NaN if there is probably nothing in it.
    """

    case: str
    object: str
    frame: int
    slice: int
    wrong_mm2: float
    expected_dice: float


@dataclass(frozen=True)
class FailedCase:
    """A case that failed; a row of failures.csv.

    Attributes:
        case: its name, or `ALL_CASES` for a model that cannot be loaded.
        model: the model.
        reason: one sentence.
    """

    case: str
    model: str
    reason: str


@dataclass(frozen=True)
class Segmented:
    """The result of a job, whose files are written.

    Attributes:
        case: the name of the job.
        rows: its objects.
        slices: their slices.
        seconds: its total time.
        picture: the picture for the review as JPEG; empty without.
    """

    case: str
    rows: list[ObjectRow]
    slices: list[SliceRow]
    seconds: float
    picture: bytes = field(default=b"", repr=False)
