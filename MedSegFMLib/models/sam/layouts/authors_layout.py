"""Tensors of a checkpoint as its authors publish it, converted to transformers' layout.

Each of transformers' tensors is a part of one of the authors', or several of theirs one below the
other, so that a checkpoint is complete if every part exists and no tensor is left over. Imports
without torch.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from ....weights.layout import check_layout

if TYPE_CHECKING:
    from torch import Tensor

    from ....weights.layout import Shapes

Part = Literal["whole", "query", "key", "value", "turned", "without class"]

_THIRDS = ("query", "key", "value")


@dataclass(frozen=True)
class Source:
    """The origin of a tensor.

    Attributes:
        name: The authors' name.
        part: The part of that tensor.
    """

    name: str
    part: Part = "whole"

    def whole_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """The shape of the authors' tensor of which a tensor of `shape` is this part."""
        if self.part == "turned":
            return shape[::-1]
        if self.part == "without class":
            return (shape[0], shape[1] + 1, *shape[2:])
        return shape if self.part == "whole" else (3 * shape[0], *shape[1:])

    def cut(self, tensor: Tensor) -> Tensor:
        """This part of the authors' tensor."""
        if self.part == "whole":
            return tensor
        if self.part == "turned":
            return tensor.T.contiguous()
        if self.part == "without class":
            return tensor[:, 1:].contiguous()
        # Copies, as parts of one tensor could not be written to a file.
        return tensor.chunk(3)[_THIRDS.index(self.part)].clone()


def from_authors(
    tensors: Mapping[str, Tensor],
    expected: Shapes,
    sources_of: Callable[[str], Sequence[Source]],
    path: Path,
    network: str,
    advice: str,
) -> dict[str, Tensor]:
    """Convert tensors from their authors' layout to transformers'.

    Args:
        tensors: The tensors of a file, without those that the network does not use.
        expected: transformers' shapes by name.
        sources_of: The origins of a tensor, given transformers' name; several are concatenated
            along the rows.
        path: The file, for the error message.
        network: The network's name, for the message.
        advice: The way out, for the message.

    Raises:
        WeightsError: If tensors are missing, unknown or of the wrong shape; the message has their
            names in the file's layout.
    """
    import torch

    shapes = {name: tuple(tensor.shape) for name, tensor in tensors.items()}
    sources = {name: sources_of(name) for name in expected}
    theirs: dict[str, tuple[int, ...]] = {}
    for name, parts in sources.items():
        shape = expected[name]
        if len(parts) > 1:
            shape = (shape[0] // len(parts), *shape[1:])
        theirs.update({source.name: source.whole_shape(shape) for source in parts})
    check_layout(shapes, theirs, path, network, advice)
    found: dict[str, Tensor] = {}
    for name, parts in sources.items():
        cut = [source.cut(tensors[source.name]) for source in parts]
        found[name] = cut[0] if len(cut) == 1 else torch.cat(cut)
    return found
