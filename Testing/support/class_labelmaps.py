"""What a model that knows classes makes of a volume, for tests."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from MedSegFMLib import Session, Text, Volume
from MedSegFMLib.segmenter import Segmenter


def labelmap_of(model: Segmenter, volume: Volume) -> NDArray[Any]:
    """(K, J, I): every class as an object with its number."""
    session = Session(model, volume)
    for name in model.classes:
        session.add(Text(name), session.add_object(name))
    return session.labelmap().array_kji
