"""Phrases embedded beforehand, as VoxTell's authors publish them, read without numpy's loader.

`labels` are N texts and `embeddings` (N, channels) 16 bits; these phrases need no text encoder.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import WeightsError
from ...system.npz_files import NpyFault, open_npz

Vector = NDArray[np.float32]

_ADVICE = "give the file text_embeddings.npz as it was published"


def read_bank(path: Path, channels: int) -> Mapping[str, NDArray[Any]]:
    """The embeddings (channels) of a file by phrase, in lower case as VoxTell is asked.

    Args:
        path: The .npz file.
        channels: The length of an embedding that the network takes.

    Raises:
        WeightsError: The file is damaged, or of another network.
    """
    with open_npz(path, WeightsError, _ADVICE) as arrays:
        if "labels" not in arrays or "embeddings" not in arrays:
            raise NpyFault("it has no arrays labels and embeddings")
        labels, embeddings = arrays.read("labels"), arrays.read("embeddings")
        if labels.ndim != 1 or labels.dtype.kind != "U":
            raise NpyFault("its labels are no list of texts")
        if embeddings.dtype.kind != "f" or embeddings.shape != (len(labels), channels):
            raise NpyFault(
                f"its embeddings are {embeddings.shape} {embeddings.dtype}, and {len(labels)} "
                f"phrases of this network have {(len(labels), channels)} floats"
            )
        if not np.isfinite(embeddings).all():
            raise NpyFault("an embedding is not finite")
    return {str(label).lower(): row for label, row in zip(labels, embeddings, strict=True)}
