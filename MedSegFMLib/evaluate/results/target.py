"""Summaries of the rows of a task over its steps."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from ...datasets.cases import Case
from ..instances import are_instances
from ..protocol import Protocol
from ..records import PlacedKind, Row


@dataclass(frozen=True)
class ReachedTarget:
    """How an object reached the target Dice of a protocol.

    Attributes:
        reached: whether it did.
        interactions: the prompts until then, or all if the target was not reached.
        seconds: the time of the model for them.
    """

    reached: bool
    interactions: int
    seconds: float


def reached_target(rows: Sequence[Row], protocol: Protocol) -> ReachedTarget:
    """Whether and when an object reached the target.

    Args:
        rows: the rows of one object in the order of its steps.
        protocol: a protocol with a target.
    """
    placed = [row for row in rows if row.prompt != PlacedKind.NONE]
    seconds = sum(row.seconds for row in placed)
    return ReachedTarget(protocol.reached(rows[-1].dsc), len(placed), seconds)


def failed_rows(
    case: Case, model: str, seed: int, name: str, reason: str, protocol: Protocol
) -> list[Row]:
    """The rows of the object `name` without a result of a model: every score is the worst."""
    return [
        Row(
            case=case.name,
            modality=case.modality,
            object=name,
            model=model,
            seed=seed,
            step=step,
            prompt=PlacedKind.NONE,
            dsc=0.0,
            nsd=0.0,
            hd95_mm=math.inf,
            seconds=0.0,
            peak_bytes=0,
            resampled=False,
            failed=reason,
            f1=0.0 if are_instances(case, protocol) else None,
        )
        for step in range(protocol.clicks + 1)
    ]
