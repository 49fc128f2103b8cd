"""A session of nnInteractive with an image, and what it was given."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ...prompts.types import Prompt
from ...segmenter import Prediction
from ...volumes.region import Region, shape_triple
from ...volumes.volume import Volume
from .interactions import Placing
from .upstream import Bounds, UpstreamSession


@dataclass(frozen=True, eq=False, repr=False)
class NnInteractivePrediction(Prediction):
    """A prediction, with the mask as the session has it.

    Attributes:
        flipped_kji: (n, 3) the voxels, relative to the region, whose value a mark decided against
            the network; the session's own mask has the other value there.
    """

    flipped_kji: NDArray[np.int64] = field(default_factory=lambda: np.zeros((0, 3), np.int64))


@dataclass(eq=False)
class LiveImage:
    """A session with an image, and what it was given.

    Attributes:
        session: the session.
        volume: the volume with its image.
        buffer: its mask, uint8, (K, J, I).
        given: the prompts that it was given; () if that is not known.
        answer: the prediction with its mask; None if that is not known.
        changed: the region with all voxels of its initial mask; None if there is none.
    """

    session: UpstreamSession
    volume: Volume
    buffer: NDArray[np.uint8]
    given: tuple[Prompt, ...] = ()
    answer: Prediction | None = None
    changed: Region | None = None

    def begin(self, mask: Prediction | None) -> None:
        """Forget all interactions; go on from a mask, or from an empty one."""
        self.changed = None if mask is None else mask.region
        if mask is None:
            self.session.reset_interactions()
            return
        initial = np.zeros_like(self.buffer)
        part = initial[mask.region.slices]
        part[...] = mask.logits_kji > 0
        if isinstance(mask, NnInteractivePrediction):
            part[tuple(mask.flipped_kji.T)] ^= 1
        # Whether weights take a mask from the user does not matter for one that they predicted.
        self.session.add_initial_seg_interaction(initial, override_capability_checks=True)

    def place(self, parts: Sequence[Placing], predicting: bool) -> Region | None:
        """Give the interactions of a prompt; the last with a prediction, if wanted.

        Returns:
            The region that the prediction changed; None if there is none.
        """
        changed: Bounds | None = None
        for number, part in enumerate(parts, 1):
            changed = part(run_prediction=predicting and number == len(parts))
        if changed is None or any(b <= a for a, b in changed):
            return None
        starts, stops = zip(*changed, strict=True)
        return Region(shape_triple(map(int, starts)), shape_triple(map(int, stops)))
