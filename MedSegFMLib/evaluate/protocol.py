"""How prompts are placed and what is scored: a protocol, as data."""

from __future__ import annotations

import zlib
from dataclasses import dataclass

import numpy as np

NSD_TOLERANCE_MM = 2.0


@dataclass(frozen=True)
class Protocol:
    """How prompts are placed.

    clicks: for each object, after its box. jitter: how far each face of a
    box may be off, as part of the box's width; 0 is the tight box. box: whether the first prompt is
    a box; if not, it is a click in the middle of the object.
    """

    clicks: int = 5
    jitter: float = 0.0
    box: bool = True


def seed_of(seed: int, case: str, name: str, step: int) -> int:
    """The seed of the prompt of one step: another one everywhere, the same in every run.

    seed: 0 or more, that of the run; name: of the object.
    """
    entropy = [seed, zlib.crc32(f"{case}/{name}".encode()), step]
    return int(np.random.SeedSequence(entropy).generate_state(1)[0])
