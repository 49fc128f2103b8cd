"""A folder of low-rank adapters, as peft reads it: `peft.PeftModel.from_pretrained`.

The metadata of the tensors' file tell what they belong to, so that this file alone can be imported.
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
    """Write adapters; OutputError where that fails.

    kind: the metadata's "format". facts: what else they tell, under "peft" what peft is told.
    tensors: as peft names them.
    """
    make_folder(folder, "name another as out=")
    save_tensors(folder / TENSORS_FILE, tensors, {"format": kind, "facts": json.dumps(facts)})
    write_text(folder / CONFIG_FILE, json.dumps(facts["peft"], indent=1))


def tensors_file(path: Path) -> Path:
    """The tensors' file of an adapter folder; a file is itself."""
    return path / TENSORS_FILE if path.is_dir() else path
