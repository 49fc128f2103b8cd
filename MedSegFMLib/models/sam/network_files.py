"""A network of slices from a checkpoint: a SAM, or the image side of a SAM 2 or SAM 3."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from ...errors import ModelError
from ...system.installing import extra_command
from ..common.configuration_errors import configuration_errors
from ..common.setting_rules import check_parameters
from ..common.state_dict import check_finite, read_state_dict
from . import weights as sam_weights
from .layouts.opened import Opened
from .layouts.transformers_files import HOLDERS, weights_file
from .sam2 import weights as sam2_weights
from .sam3 import weights as sam3_weights

if TYPE_CHECKING:
    from .network.image_sam import ImageSam
    from .network.network import Sam

_FAMILIES = (sam2_weights, sam3_weights)
_ADVICE = (
    "give a checkpoint of SAM, SAM 2.1 or SAM 3, its tracker included, as its authors or "
    "transformers publish it"
)


def load(path: Path) -> Sam | ImageSam:
    """Load the network of a checkpoint, on the CPU, in evaluation mode, float32.

    The caller must check the file's SHA-256 first.

    Args:
        path: The checkpoint, or the folder of transformers that contains it.

    Raises:
        WeightsError: If the file is missing, truncated, of another network, or contains anything
            but tensors, or the configuration beside it cannot be used.
        ModelError: If a package is missing.
    """
    path = weights_file(path)
    held = read_state_dict(path, HOLDERS, _ADVICE)
    family = next((known for known in _FAMILIES if known.is_this(held)), None)
    if family is None:
        return sam_weights.from_tensors(held, path)
    if find_spec("transformers") is None:
        raise ModelError(
            f"{path} is of {family.NETWORK}, which needs transformers, not installed here; run: "
            f"{extra_command('models')}."
        )
    with configuration_errors("sam", path, f"{family.NETWORK} has", _ADVICE):
        return _built(family.opened(held, path, _ADVICE), path)


def _built(opened: Opened, path: Path) -> ImageSam:
    import torch
    from transformers import initialization

    from .network.image_sam import ImageSam

    with torch.device("meta"):
        shapes = ImageSam(opened.model(opened.config), opened.described).state_dict()
    expected = {name: tuple(tensor.shape) for name, tensor in shapes.items()}
    check_parameters(expected.values(), "the network")
    state = opened.convert(expected)
    check_finite(state, path)
    with initialization.no_init_weights():
        # Tables that are no weights are computed; all weights are replaced.
        network = ImageSam(opened.model(opened.config), opened.described)
    network.load_state_dict({n: tensor.float() for n, tensor in state.items()}, assign=True)
    network.requires_grad_(False)
    return network
