"""Regions that a GPU has memory for: smaller ones after it had none.

Any model on any kind of GPU may run out of memory on a large region. The region is then drawn
closer around the prompts, half the way to them each time, before the CPU has to take over.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

from ..prompts.types import Prompt
from ..prompts.voxels import to_voxels
from ..volumes.geometry import Geometry
from ..volumes.region import Region, shape_triple

_log = logging.getLogger(__name__)

# Called with a sentence for the user.
Note = Callable[[str], None]

# The least margin around a click that a model gets, in voxels: with less it sees nothing.
_LEAST_MARGIN = 8


class RegionLimit:
    """The size of regions of a volume that a GPU has memory for, as far as it is known.

    Args:
        title: the model's title, for the note.
        note: called with a sentence when a region is made smaller; None to log it.
    """

    def __init__(self, title: str, note: Note | None = None) -> None:
        self._title = title
        self._note = note or _log.warning
        # Regions of as many voxels did not fit.
        self._too_many: int | None = None

    def fitted(self, region: Region, core: Region) -> Region:
        """The region, or a smaller one with `core` and a note, if one of its size did not fit."""
        found = region
        while self._too_many is not None and found.size >= self._too_many:
            closer = _closer(found, core)
            if closer == found:
                break
            found = closer
        if found != region:
            self._tell(region, found)
        return found

    def smaller(self, region: Region, core: Region) -> Region | None:
        """A smaller region after one did not fit, with a note; None if there is none."""
        self._too_many = region.size
        closer = _closer(region, core)
        if closer == region:
            return None
        self._tell(region, closer)
        return closer

    def stays(self, region: Region, larger: Region) -> None:
        """Note that a region stays as it is because a larger one did not fit."""
        self._too_many = larger.size
        self._tell(larger, region)

    def _tell(self, wanted: Region, given: Region) -> None:
        self._note(
            f"The GPU has no memory left for a region of {_size(wanted)} voxels, so {self._title} "
            f"sees {_size(given)} around the prompts; draw a smaller box or close other programs "
            "that use the GPU."
        )


def core_region(prompts: Sequence[Prompt], geometry: Geometry) -> Region | None:
    """The region that a model needs at least: boxes, masks to start from and a little around marks.

    None if the prompts are nowhere, as a text is.
    """
    marks = to_voxels(prompts, geometry)
    parts = [*marks.boxes, *([marks.start.region] if marks.start is not None else [])]
    # Background marks may lie anywhere: those for other objects are among them.
    if len(marks.foreground_kji):
        around = Region.around(marks.foreground_kji)
        parts.append(around.grown((_LEAST_MARGIN,) * 3, geometry.shape_kji))
    return Region.enclosing(parts) if parts and not marks.phrases else None


def _closer(region: Region, core: Region) -> Region:
    """The region with each face moved half the way to the core, rounded towards it."""
    starts = zip(region.start_kji, core.start_kji, strict=True)
    stops = zip(region.stop_kji, core.stop_kji, strict=True)
    return Region(
        shape_triple(max(a, min(b, (a + b + 1) // 2)) for a, b in starts),
        shape_triple(min(a, max(b, (a + b) // 2)) for a, b in stops),
    )


def _size(region: Region) -> str:
    k, j, i = region.shape_kji
    return f"{i} x {j} x {k}"
