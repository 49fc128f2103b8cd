"""Evaluation protocols as data: how prompts are placed and what is scored."""

from __future__ import annotations

import math
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import CasesError
from ..simulate.perturbations import KINDS as ERRORS

if TYPE_CHECKING:
    from .records import Row

NSD_TOLERANCE_MM = 2.0
BOX_MIDDLES = {"challenge": "slices", "challenge-middle-voxel": "voxels"}
"""The challenge's rules for boxes, with the middle slice on which they are drawn."""


@dataclass(frozen=True)
class Protocol:
    """How prompts are placed, what is scored, and what counts as a failure.

    Attributes:
        clicks: the most clicks for each object after its first prompt.
        jitter: the largest error of each face of a box, as a part of the box's width, or of each
            end of a line, as a part of its length; 0 is the tight box or the exact line.
        box: whether the first prompt is a box for models that take one; otherwise it is a click in
            the middle of the object.
        name: the name of the protocol for the user.
        box_rule: "around" for a user's box, with the jitter; "challenge" for the box in the case's
            npz file, none if the file has none, and for other files a box drawn by the challenge's
            rule; "challenge-middle-voxel" for the same with the rule of the challenge before May
            2025, whose boxes are often easier.
        text_first: whether a model that takes text gets the object's name, even if it takes boxes.
            A model that takes neither boxes nor clicks always gets it.
        phrasings: whether each object is asked for in other words too, each time by itself; see
            `evaluate.phrasings`.
        click_ties: which of equally deep voxels is clicked: "seed" for a choice by the seed,
            "challenge" for that of the challenge's script.
        together: whether all objects of a case are segmented at once, each step with one click for
            each, and compete for voxels; otherwise each is alone in the volume.
        target_dice: an object gets no more clicks once it reaches this Dice; None for all clicks.
        seconds_per_object: the time limit for each object of those that are segmented at once, for
            all steps together; beyond it they have failed. None for no limit.
        failures: whether an object that failed counts "zero" in the means, or is to "omit".
        nsd_tolerance: the tolerance of the surface Dice, in the units of the spacing.
        nsd_spacing: "geometry" for the voxel sizes along K, J and I; "stored" for the three numbers
            as stored in an npz file, or (i, j, k) of another file, used as those along K, J and I.
        save_segs: whether the label maps of all steps are saved as npz files.
        start: whether the first prompt, for models that take one, is a mask: the object with an
            error, one of `simulate.perturbations.KINDS` or "any" for one that the seed chooses;
            None for no mask.
        line: whether the first prompt is a line, as for RECIST: the longest diameter on the axial
            slice of the object's largest cross-section.

    Raises:
        CasesError: a value is out of range.
    """

    clicks: int = 5
    jitter: float = 0.0
    box: bool = True
    name: str = "clicks"
    box_rule: str = "around"
    text_first: bool = False
    phrasings: bool = False
    click_ties: str = "seed"
    together: bool = False
    target_dice: float | None = None
    seconds_per_object: float | None = None
    failures: str = "omit"
    nsd_tolerance: float = NSD_TOLERANCE_MM
    nsd_spacing: str = "geometry"
    save_segs: bool = False
    start: str | None = None
    line: bool = False

    def __post_init__(self) -> None:
        for field, (fits, valid) in _RULES.items():
            value = getattr(self, field)
            if not fits(value):
                raise CasesError(f"The protocol's {field} is {value!r}; give {valid}.")
        if self.line and self.start is not None:
            raise CasesError(
                f"The protocol begins with a line and with a mask ({self.start}); leave one out."
            )
        if self.together and self.phrasings:
            raise CasesError(
                "The protocol's phrasings ask for one object several times and its objects are "
                "together, competing for voxels; leave one of the two out."
            )
        if self.together and self.target_dice is not None:
            raise CasesError(
                f"The protocol's target_dice is {self.target_dice} and its objects are together, "
                "but each object has its own last click; leave one of the two out."
            )

    def complete(self, rows: Sequence[Row]) -> bool:
        """Whether these rows, in this order, are all rows of one object."""
        if [row.step for row in rows] != list(range(len(rows))) or not rows:
            return False
        return len(rows) == self.clicks + 1 or self.reached(rows[-1].dsc)

    def reached(self, dsc: float) -> bool:
        """Whether an object with this Dice gets no more clicks."""
        return self.target_dice is not None and dsc >= self.target_dice

    def counts(self, row: Row) -> bool:
        """Whether a row is included in the means: all but those of failures to omit."""
        return self.failures == "zero" or not row.failed

    def sentence(self) -> str:
        """A description of the protocol for a report."""
        first = "a click in the middle"
        if self.box and self.box_rule in BOX_MIDDLES:
            before = "" if self.box_rule == "challenge" else ", as drawn before May 2025"
            first = f"the box of the CVPR 2025 challenge{before}"
        elif self.box and self.jitter:
            first = f"a box, each face off by up to {100 * self.jitter:g} % of its width"
        elif self.box:
            first = "a tight box"
        if self.line:
            exact = f", each end off by up to {100 * self.jitter:g} % of it" if self.jitter else ""
            first = f"the longest diameter on an axial slice (RECIST){exact}"
        if self.start is not None:
            error = "with an error" if self.start == "any" else self.start
            first = f"the object {error} as a mask to start from"
        if self.text_first:
            named = "name in several wordings" if self.phrasings else "name"
            first = f"the object's {named}, or {first} for a model that takes no words"
        clicks = f"{self.clicks} click{'' if self.clicks == 1 else 's'}"
        if self.target_dice is not None:
            clicks = f"clicks until its Dice is {self.target_dice:g}, {self.clicks} at most"
        how = "all objects of a case at once" if self.together else "each object alone"
        limit = ""
        if self.seconds_per_object is not None:
            limit = f"; more than {self.seconds_per_object:g} s per object is a failure"
        failed = "count 0" if self.failures == "zero" else "are left out of the means"
        return (
            f"{self.name}: {first}, then {clicks} for each object, {how}{limit}. "
            f"Failures {failed}. Surface Dice at {self.nsd_tolerance:g} mm."
        )


def derive_seed(seed: int, case: str, name: str, step: int) -> int:
    """The seed of the prompt of one step: different for each, and the same in every run.

    Args:
        seed: the seed of the run, 0 or more.
        case: the name of the case.
        name: the name of the object.
        step: the step.
    """
    entropy = [seed, zlib.crc32(f"{case}/{name}".encode()), step]
    return int(np.random.SeedSequence(entropy).generate_state(1)[0])


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _truth(value: Any) -> bool:
    return isinstance(value, bool)


def _one_of(*words: str | None) -> tuple[Callable[[Any], bool], str]:
    named = ("null" if word is None else f"'{word}'" for word in words)
    return lambda value: value in words, " or ".join(named)


# The check of each field, and a description of its valid values.
_RULES: dict[str, tuple[Callable[[Any], bool], str]] = {
    "clicks": (
        lambda v: isinstance(v, int) and not isinstance(v, bool) and v >= 0,
        "a whole number of 0 or more",
    ),
    "jitter": (lambda v: _is_number(v) and 0 <= v < 0.5, "0 or more, and less than 0.5"),
    "box": (_truth, "true or false"),
    "name": (lambda v: isinstance(v, str) and bool(v.strip()), "a name"),
    "box_rule": _one_of("around", *BOX_MIDDLES),
    "text_first": (_truth, "true or false"),
    "phrasings": (_truth, "true or false"),
    "click_ties": _one_of("seed", "challenge"),
    "together": (_truth, "true or false"),
    "target_dice": (
        lambda v: v is None or (_is_number(v) and 0 < v <= 1),
        "a number above 0, 1 at most, or null for none",
    ),
    "seconds_per_object": (
        lambda v: v is None or (_is_number(v) and v > 0),
        "a number above 0, or null for any time",
    ),
    "failures": _one_of("zero", "omit"),
    "nsd_tolerance": (lambda v: _is_number(v) and v >= 0, "a number of 0 or more"),
    "nsd_spacing": _one_of("geometry", "stored"),
    "save_segs": (_truth, "true or false"),
    "start": _one_of(None, "any", *ERRORS),
    "line": (_truth, "true or false"),
}
