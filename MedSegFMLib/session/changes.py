"""The change that a prompt made: the voxels of its object before and after it.

A mark may say what the answer says already, or lie outside the region that the model looked at;
a sentence says both, because the number of voxels alone does not explain them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..progress import Progress, parts_of
from ..prompts.prompt_list import PromptList
from ..prompts.references import prompt_text
from ..prompts.types import Lasso, Point, Prompt, Scribble, is_positive
from ..prompts.voxels import mark_voxels
from ..segmenter import Prediction
from ..volumes.geometry import Geometry
from ..volumes.region import Region

Indices = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Found:
    """The voxels of an object at one time.

    Attributes:
        region: the voxels that `mask_kji` covers; None if there are none.
        mask_kji: (k, j, i), bool or 0 and 1, true inside.
        seen: the region that the model looked at; None if it is unknown.
    """

    region: Region | None
    mask_kji: NDArray[Any]
    seen: Region | None

    @classmethod
    def of(cls, prediction: Prediction) -> Found:
        """The voxels of a prediction."""
        return cls(prediction.region, prediction.logits_kji > 0, prediction.region)

    def at(self, voxels_kji: Indices) -> NDArray[np.bool_]:
        """(n,) whether each of (n, 3) voxels belongs to the object."""
        if self.region is None:
            return np.zeros(len(voxels_kji), dtype=bool)
        inside = self.region.holds(voxels_kji)
        found = np.zeros(len(voxels_kji), dtype=bool)
        local = tuple((voxels_kji[inside] - np.array(self.region.start_kji)).T)
        found[inside] = self.mask_kji[local] != 0
        return found


@dataclass(frozen=True)
class PromptChange:
    """The change that one prompt made.

    Attributes:
        number: the prompt's number, from 1.
        text: the prompt as it is typed.
        label: its object.
        name: the object's name.
        added: voxels that the object got.
        removed: voxels that it lost.
        ml: the volume of all changed voxels in millilitres.
        others: voxels that other objects got or lost.
        was_heeded: whether the answer before it agreed with the mark already.
        was_outside: whether all of the mark is outside the region that the model looked at before.
        is_outside: whether it still is.
        positive: whether the prompt marks the object.
    """

    number: int
    text: str
    label: int
    name: str
    added: int
    removed: int
    ml: float
    others: int = 0
    was_heeded: bool = False
    was_outside: bool = False
    is_outside: bool = False
    positive: bool = True

    @property
    def voxels(self) -> int:
        """The number of voxels of the object that changed."""
        return self.added + self.removed

    @property
    def sentence(self) -> str:
        """The change for the user."""
        parts = [f"changed {self._count(self.voxels)} ({self.ml:.2f} ml)"]
        if self.added and self.removed:
            parts[0] += f": {self.added} added, {self.removed} removed"
        elif self.voxels:
            parts[0] += f", all {'added' if self.added else 'removed'}"
        if not self.voxels:
            parts = ["changed nothing"]
        if self.others:
            parts.append(f"{self._count(self.others)} of other objects changed")
        return f"Prompt {self.number} ({self.text}, {self.name}) {'; '.join(parts + self._why())}."

    def _why(self) -> list[str]:
        """The reasons that a user would look for."""
        if self.is_outside:
            side = "so nothing there belongs to it" if not self.positive else "which stays as it is"
            return [f"it is outside the region that the model looks at for {self.name}, {side}"]
        if self.was_heeded:
            side = "inside" if self.positive else "outside"
            return [f"it was heeded already: its voxels were {side} {self.name}"]
        if self.was_outside:
            return ["it is outside the region before it, which was enlarged to it"]
        return []

    @staticmethod
    def _count(voxels: int) -> str:
        return f"{voxels} voxel{'' if voxels == 1 else 's'}"


def changes_of(
    predicted: Callable[[PromptList, Progress], Mapping[int, Prediction]],
    prompts: PromptList,
    indices: range,
    geometry: Geometry,
    progress: Progress,
) -> list[PromptChange]:
    """The changes that some neighbouring prompts of a list made.

    Args:
        predicted: predicts the objects of a list.
        prompts: the list; those after `indices` count as given before.
        indices: the indices of the prompts.
        geometry: the volume's grid.
        progress: reports progress.
    """
    entries = prompts.entries
    answers = []
    states = range(indices.start, indices.stop + 1)
    for n, share in zip(states, parts_of(progress, len(states)), strict=True):
        given = replace(prompts, entries=(*entries[:n], *entries[indices.stop :]))
        found = predicted(given, share)
        answers.append({label: Found.of(answer) for label, answer in found.items()})
    return [
        prompt_change(n + 1, entries[n], prompts.name(entries[n][0]), before, after, geometry)
        for n, (before, after) in zip(indices, pairwise(answers), strict=True)
    ]


def prompt_change(
    number: int,
    entry: tuple[int, Prompt],
    name: str,
    before: Mapping[int, Found],
    after: Mapping[int, Found],
    geometry: Geometry,
) -> PromptChange:
    """The change between the answers before and after a prompt.

    Args:
        number: the prompt's number, from 1.
        entry: its object's label, and the prompt.
        name: the object's name.
        before: the voxels of each object without the prompt; an object may be missing.
        after: the same with it.
        geometry: the volume's grid.
    """
    label, prompt = entry
    old, new = before.get(label), after.get(label)
    added, removed = differences(old, new)
    others = (set(before) | set(after)) - {label}
    marked = _marked(prompt, geometry)
    is_positive_mark = is_positive(prompt)
    return PromptChange(
        number,
        prompt_text(prompt, geometry),
        label,
        name,
        added,
        removed,
        (added + removed) * geometry.voxel_volume_mm3 / 1000,
        sum(sum(differences(before.get(n), after.get(n))) for n in others),
        was_heeded=_agrees(old, marked, is_positive_mark),
        was_outside=_is_outside(old, marked),
        is_outside=old is not None and _is_outside(new, marked),
        positive=is_positive_mark,
    )


def differences(before: Found | None, after: Found | None) -> tuple[int, int]:
    """The number of voxels that an object got, and that it lost."""
    regions = [f.region for f in (before, after) if f is not None and f.region is not None]
    if not regions:
        return 0, 0
    whole = Region.enclosing(regions)
    old, new = _on(before, whole), _on(after, whole)
    return int((new & ~old).sum()), int((old & ~new).sum())


def _on(found: Found | None, region: Region) -> NDArray[np.bool_]:
    array = np.zeros(region.shape_kji, dtype=bool)
    if found is not None and found.region is not None:
        array[found.region.relative_to(region).slices] = found.mask_kji != 0
    return array


def _marked(prompt: Prompt, geometry: Geometry) -> Indices | None:
    """The voxels that a mark decides; None for other prompts."""
    if isinstance(prompt, Point | Scribble | Lasso):
        return mark_voxels(prompt, geometry)
    return None


def _agrees(before: Found | None, marked: Indices | None, positive: bool) -> bool:
    return before is not None and marked is not None and bool((before.at(marked) == positive).all())


def _is_outside(found: Found | None, marked: Indices | None) -> bool:
    if found is None or found.seen is None or marked is None:
        return False
    return not found.seen.holds(marked).any()
