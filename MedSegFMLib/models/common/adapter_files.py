"""A folder of low-rank adapters as peft reads it: `peft.PeftModel.from_pretrained`.

The metadata of the tensor file describe the network it belongs to, so that this file alone can be
imported.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...system.atomic_files import make_folder, write_text
from ...weights.saving import save_tensors

if TYPE_CHECKING:
    from torch import Tensor

TENSORS_FILE = "adapter_model.safetensors"
CONFIG_FILE = "adapter_config.json"


def write_adapters(
    folder: Path, kind: str, facts: Mapping[str, Any], tensors: Mapping[str, Tensor]
) -> None:
    """Write adapters to a folder.

    Args:
        folder: The folder to write to; it is created if it does not exist.
        kind: The "format" entry of the metadata.
        facts: The other metadata; its entry "peft" is peft's configuration.
        tensors: The tensors under peft's names.

    Raises:
        OutputError: If the files cannot be written.
    """
    make_folder(folder, "name another as out=")
    save_tensors(folder / TENSORS_FILE, tensors, {"format": kind, "facts": json.dumps(facts)})
    write_text(folder / CONFIG_FILE, json.dumps(facts["peft"], indent=1))


def tensors_file(path: Path) -> Path:
    """The tensor file of an adapter folder; a path to a file is returned unchanged."""
    return path / TENSORS_FILE if path.is_dir() else path
