"""The preprocessing of slices by the name of the model that it was published with."""

from __future__ import annotations

from collections.abc import Callable

from ...errors import ModelError
from .network.config import Family, NetworkConfig
from .preprocessing import MedsamPreprocessor, SamPreprocessor, SlicePreprocessor
from .square_slices import SquarePreprocessor

# Of ImageNet, as in Sam2ImageProcessor of transformers; Sam3ImageProcessor has 0.5 of both.
_MEAN, _DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
_HALF = (0.5,)

# By name: the family of its networks, and the preprocessing for a size and a network.
_KNOWN: dict[str, tuple[Family, Callable[[str, NetworkConfig], SlicePreprocessor]]] = {
    "sam": ("sam", lambda size, _: SamPreprocessor(size)),
    "medsam": ("sam", lambda size, _: MedsamPreprocessor(size)),
    "sam2": (
        "sam2",
        lambda size, network: SquarePreprocessor(
            network.side, "BILINEAR", 255, _MEAN, _DEVIATION, size, network.multiple
        ),
    ),
    "sam3": (
        "sam3",
        lambda size, network: SquarePreprocessor(
            network.side, "BILINEAR", 255, _HALF, _HALF, size, network.multiple
        ),
    ),
}
PREPARED = tuple(_KNOWN)


def make_preprocessor(prepared: str, size: str, network: NetworkConfig) -> SlicePreprocessor:
    """The preprocessing of a name of `PREPARED` for a network.

    Args:
        prepared: The name.
        size: One of `SIZES`; the published one is the size of the network's training.
        network: The network.

    Raises:
        ModelError: If the preprocessing is for networks of another family.
    """
    family, make = _KNOWN[prepared]
    if family != network.family:
        fitting = [name for name, (own, _) in _KNOWN.items() if own == network.family]
        raise ModelError(
            f"The preprocessing of {prepared} is not for the network {network.name}; choose "
            f"{' or '.join(fitting)}."
        )
    return make(size, network)
