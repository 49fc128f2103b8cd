"""Conversion of a `Consistency` to the content of a frame, JSON and arrays, and back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import numpy as np

from ..consistency import Consistency, HotSpot
from ..consistency.views import MIRRORED
from ..volumes.region import Region, shape_triple
from .frames import Array


def to_parts(consistency: Consistency) -> tuple[dict[str, Any], dict[str, Array]]:
    """The numbers, and the arrays by name: disagreement as float16, masks as bits of one array."""
    numbers = {
        "start_kji": consistency.region.start_kji,
        "stop_kji": consistency.region.stop_kji,
        "agreement": consistency.agreement,
        "expected_dice": consistency.expected_dice,
        "intersection": consistency.intersection,
        "planes": list(consistency.masks),
        "slices": {name: list(scores) for name, scores in consistency.slices.items()},
        "hot_spots": [asdict(spot) for spot in consistency.hot_spots],
    }
    bits = np.zeros(consistency.region.shape_kji, dtype=np.uint8)
    for n, mask in enumerate(consistency.masks.values()):
        bits |= mask.view(np.uint8) << n
    disagreement = consistency.disagreement_kji.astype(np.float16)
    return numbers, {"disagreement": disagreement, "masks": bits}


def from_parts(numbers: Mapping[str, Any], arrays: Mapping[str, Array]) -> Consistency:
    """The inverse of `to_parts`.

    Raises:
        KeyError, TypeError, ValueError: the content is invalid.
    """
    region = _region(numbers)
    disagreement, bits = arrays["disagreement"], arrays["masks"]
    if not disagreement.shape == bits.shape == region.shape_kji:
        raise ValueError(f"arrays of another shape than their region {region.shape_kji}")
    if disagreement.dtype.kind != "f" or bits.dtype != np.uint8:
        raise ValueError(f"a disagreement of {disagreement.dtype}, masks of {bits.dtype}")
    if not set(numbers["planes"]) <= {*numbers["slices"], MIRRORED}:
        raise ValueError(f"planes {numbers['planes']}, which are not in {list(numbers['slices'])}")
    masks = {name: (bits & (1 << n)) > 0 for n, name in enumerate(numbers["planes"])}
    return Consistency(
        region,
        disagreement.astype(np.float32),
        masks,
        _number(numbers["agreement"]),
        _number(numbers["expected_dice"]),
        _number(numbers["intersection"]),
        {name: tuple(map(_number, scores)) for name, scores in numbers["slices"].items()},
        tuple(
            HotSpot(
                _region(spot["region"]),
                int(spot["voxels"]),
                float(spot["gain_voxels"]),
                shape_triple(spot["click_kji"]),
                bool(spot["positive"]),
            )
            for spot in numbers["hot_spots"]
        ),
    )


def _region(item: Mapping[str, Any]) -> Region:
    return Region(shape_triple(item["start_kji"]), shape_triple(item["stop_kji"]))


def _number(value: Any) -> float | None:
    return None if value is None else float(value)
