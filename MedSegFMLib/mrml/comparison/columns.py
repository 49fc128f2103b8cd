"""The columns of the table of a comparison: the one list that the scene, CSV and the panel use."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from ...metrics import dice, surface_dice
from ...metrics.measures import (
    AGREEMENT,
    CONSISTENCY,
    DICE,
    PEAK_MEMORY,
    SECONDS,
    SURFACE_DICE,
    VOLUME,
    Measure,
)
from ...volumes.geometry import Geometry
from ...volumes.masks import Mask
from ...volumes.region import shape_triple
from ...volumes.right_angles import StraightGrid
from ...volumes.volume import Volume
from .results import ModelResult, Stage

TOLERANCE_MM = 2.0
Value = str | float | None
Score = Callable[[Mask, Geometry], float]
"""Computes a number from a mask (K, J, I) whose voxels are those of the geometry."""
ReferenceScore = Callable[[Mask, Mask, Geometry], float]
"""The same from a reference and a mask of one shape."""


@dataclass(frozen=True)
class RowData:
    """The data of a row, from which columns take their values.

    Attributes:
        object_name: the name of the object.
        label: its label.
        result: the model's result.
        scores: the computed numbers by the key of their column; None until they are computed.
        agreements: by model, Dice with that model; None until it is computed.
        agreement: the mean of these, None until all are computed.
    """

    object_name: str
    label: int
    result: ModelResult
    scores: Mapping[str, float | None]
    agreements: Mapping[str, float | None]
    agreement: float | None


@dataclass(frozen=True)
class Column:
    """A column of the table.

    Attributes:
        key: a name for programs.
        title: the heading without the unit.
        measure: unit and number format; None for text.
        short: the heading in the panel; None to leave the column out there.
        description: an explanation for the tool tip.
        value: returns the value of a row, in the stored unit of the measure; None for the computed
            number of this key.
        score: computed once for each mask, in a thread that touches no node.
        reference_score: the same for each mask with a reference, and again if that changes.
    """

    key: str
    title: str
    measure: Measure | None
    short: str | None
    description: str = ""
    value: Callable[[RowData], Value] | None = field(default=None, compare=False)
    score: Score | None = field(default=None, compare=False)
    reference_score: ReferenceScore | None = field(default=None, compare=False)

    @property
    def unit(self) -> str:
        """The unit of the numbers; "" for text and for scores from 0 to 1."""
        return self.measure.unit if self.measure else ""

    @property
    def heading(self) -> str:
        """Title and unit."""
        return f"{self.title} ({self.unit})" if self.unit else self.title

    def cell(self, row: RowData) -> Value:
        """The value of a row as the table shows it; None if it is missing, or not computed yet."""
        value = row.scores.get(self.key) if self.value is None else self.value(row)
        if self.measure is None or isinstance(value, str):
            return value
        return self.measure.rounded(value)


def columns_for(results: Sequence[ModelResult]) -> tuple[Column, ...]:
    """The columns of a comparison: `COLUMNS`, one for each model's agreement, and the note."""
    return (*COLUMNS, *(_agreement_with(result) for result in results), NOTE)


def _agreement_with(other: ModelResult) -> Column:
    return Column(
        f"dice_with_{other.model}",
        f"Dice with {other.title}",
        DICE,
        f"≈ {other.title}",
        "Dice between the two models",
        value=lambda row: row.agreements.get(other.model),
    )


def _volume_ml(mask: Mask, geometry: Geometry) -> float:
    return float(np.count_nonzero(mask)) * geometry.voxel_volume_mm3 / 1000


def _seconds(row: RowData) -> float | None:
    return None if row.result.cost is None else row.result.cost.seconds


def _peak_bytes(row: RowData) -> float | None:
    cost = row.result.cost
    return None if cost is None or not cost.peak_bytes else float(cost.peak_bytes)


def _surface_dice(reference: Mask, mask: Mask, geometry: Geometry) -> float:
    """On axes at right angles, which distances between voxels need."""
    # The masks may be of a part of the volume: distances are the same in all of its parts.
    own = Geometry(shape_triple(mask.shape), geometry.ijk_to_ras)
    straight = StraightGrid.of(own)
    ours, theirs = (
        straight.labels(Volume(part.astype(np.uint8), own)).array_kji > 0
        for part in (reference, mask)
    )
    return surface_dice(ours, theirs, straight.geometry.spacing_kji_mm, TOLERANCE_MM)


def _note(row: RowData) -> str:
    return row.result.sentence or ("Stopped." if row.result.stage is Stage.STOPPED else "")


COLUMNS = (
    Column("object", "Object", None, None, value=lambda row: row.object_name),
    Column("model", "Model", None, "Model", value=lambda row: row.result.title),
    Column(
        "dice",
        DICE.title,
        DICE,
        "Dice",
        "Dice with the reference, 0 to 1",
        reference_score=lambda reference, mask, _geometry: dice(reference, mask),
    ),
    Column(
        "surface_dice",
        f"{SURFACE_DICE.title} at {TOLERANCE_MM:g} mm",
        SURFACE_DICE,
        "Surface",
        "Surface Dice with the reference, 0 to 1",
        reference_score=_surface_dice,
    ),
    Column(
        "agreement",
        AGREEMENT.title,
        AGREEMENT,
        "Agree",
        "Mean Dice with all other models",
        value=lambda row: row.agreement,
    ),
    Column("volume", VOLUME.title, VOLUME, "ml", "Volume", score=_volume_ml),
    Column(
        "seconds",
        SECONDS.title,
        SECONDS,
        "s",
        "From the prompts to the masks, with the model loaded and nothing cached",
        value=_seconds,
    ),
    Column(
        "peak_memory",
        PEAK_MEMORY.title,
        PEAK_MEMORY,
        "MB",
        "Of the GPU if the model ran on one, otherwise of its process",
        value=_peak_bytes,
    ),
    Column(
        "consistency",
        CONSISTENCY.title,
        CONSISTENCY,
        "Consistency",
        "Mean Dice between the model's own planes",
        value=lambda row: row.result.agreements.get(row.label),
    ),
)
NOTE = Column("note", "Note", None, None, value=_note)
