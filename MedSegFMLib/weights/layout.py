"""Check that a file contains exactly the tensors of a network, with the right shapes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from ..errors import WeightsError

Shapes = Mapping[str, tuple[int, ...]]

_MOST_NAMED = 3


def check_layout(found: Shapes, expected: Shapes, path: Path, network: str, advice: str) -> None:
    """Compare tensors with the layout of a network.

    Args:
        found: shape of each tensor in the file, by name.
        expected: shape of each tensor of the network, by name.
        path: the file, for the message.
        network: the network's name, for the message.
        advice: the way out, for the message.

    Raises:
        WeightsError: tensors are missing, unknown or have another shape; the message names them.
    """
    faults = [f"{name} is missing" for name in expected if name not in found]
    faults += [f"{name} is unknown" for name in found if name not in expected]
    faults += [
        f"{name} is {found[name]} instead of {shape}"
        for name, shape in expected.items()
        if found.get(name, shape) != shape
    ]
    if faults:
        more = len(faults) - _MOST_NAMED
        rest = f" and {more} more" if more > 0 else ""
        raise WeightsError(
            f"{path} is not for the network {network}: "
            f"{', '.join(faults[:_MOST_NAMED])}{rest}; {advice}."
        )
