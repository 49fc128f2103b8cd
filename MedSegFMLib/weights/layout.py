"""Whether a file holds the tensors of a network: all of them, no others, of the right shapes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from ..errors import WeightsError

Shapes = Mapping[str, tuple[int, ...]]

_MOST_NAMED = 3


def check_layout(found: Shapes, expected: Shapes, path: Path, network: str, advice: str) -> None:
    """Raise WeightsError, which names them, for tensors that are missing, unknown or misshapen.

    network: what they should be of, and advice: what to give instead, as the message says it.
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
            f"{path} is of another network than {network}: "
            f"{', '.join(faults[:_MOST_NAMED])}{rest}; {advice}."
        )
