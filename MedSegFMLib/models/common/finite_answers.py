"""A check that a network computes finite numbers, before comparisons hide those that are not.

NaN is above no threshold, so that without this check a damaged network would find nothing anywhere.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import ModelError


def check_answer(values: NDArray[Any], model: str) -> None:
    """Check the output of a network.

    Args:
        values: Of any shape and real type.
        model: The name of the model, for the message.

    Raises:
        ModelError: If a value is NaN or infinite.
    """
    # Extremes need no copy of the values; NaN is both of them.
    if values.size and not np.isfinite((values.min(), values.max())).all():
        raise ModelError(
            f"The network of {model} computes values that are not finite numbers; its weights are "
            "damaged or not for this volume: import them again, or use another model."
        )
