"""Writing of tensors to a safetensors file, whole or not at all. Needs torch."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import WeightsError
from ..system.atomic_files import atomic_path, incomplete_file
from .safetensors_header import read_header

if TYPE_CHECKING:
    from torch import Tensor


def save_tensors(
    path: Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, str] | None = None
) -> None:
    """Write tensors on any device by name.

    Raises:
        OutputError: the file cannot be written.
    """
    from safetensors import SafetensorError
    from safetensors.torch import save_file

    on_cpu = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    with atomic_path(path) as beside:
        try:
            save_file(on_cpu, str(beside), None if metadata is None else dict(metadata))
            # The size must be that which the header states.
            read_header(beside)
        except (SafetensorError, WeightsError) as error:
            size = sum(tensor.nbytes for tensor in on_cpu.values())
            raise incomplete_file(beside, size) from error
