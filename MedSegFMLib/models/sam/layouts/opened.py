"""A network of transformers between the reading of its tensors and its construction."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..network.config import ImageConfig

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Opened:
    """A network of transformers whose tensors were read, but not yet compared with it.

    Attributes:
        model: The class of transformers' model.
        config: Its configuration.
        described: The description of the image encoder.
        convert: Returns the tensors in transformers' layout, given the shapes there by name; raises
            WeightsError if they do not fit.
    """

    model: Callable[[Any], Any]
    config: Any
    described: ImageConfig
    convert: Callable[[Mapping[str, tuple[int, ...]]], dict[str, Tensor]]
