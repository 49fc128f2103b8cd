"""Low-rank adapters of SAM as peft saves them, with what tells which SAM they belong to.

A folder with `adapter_config.json` and `adapter_model.safetensors`, which
`peft.PeftModel.from_pretrained` reads. The metadata of the tensors' file says the same and more, so
that this file alone can be imported as the weights of a model.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...errors import WeightsError
from ...weights import store
from ...weights.checksums import own_sha256
from ...weights.safetensors_header import read_header
from ..common.adapter_files import TENSORS_FILE, tensors_file, write_adapters
from . import weights as sam_weights
from .base import BASES
from .network.config import PUBLISHED
from .preprocessing import PREPROCESSORS, SIZES

if TYPE_CHECKING:
    from torch import Tensor

    from .network.network import Sam

FORMAT = "medsegfm.crossplane"


@dataclass(frozen=True)
class AdapterFacts:
    """What an adapter is of.

    base: the name of the SAM it was trained on, a weights' name or a file's; base_sha256: of that
    file; network: its name in `PUBLISHED`. prepared: how slices were prepared, as for the model
    "sam" or "medsam"; size: one of `preprocessing.SIZES`. peft: what peft is told of the adapters.
    data: what it was trained on (`labelled_volumes.manifest`). settings: of the training, as typed.
    """

    base: str
    base_sha256: str
    network: str
    prepared: str
    size: str
    peft: Mapping[str, Any]
    data: list[dict[str, Any]] = field(default_factory=list)
    settings: Mapping[str, str] = field(default_factory=dict)


def write(folder: Path, facts: AdapterFacts, tensors: Mapping[str, Tensor]) -> None:
    """Write an adapter folder; OutputError where that fails. tensors: as peft names them."""
    write_adapters(folder, FORMAT, asdict(facts), tensors)


def read_facts(path: Path) -> AdapterFacts:
    """What an adapter, a folder or its tensors' file, says of itself.

    Raises WeightsError where it is missing, truncated or none that this project wrote.
    """
    path = tensors_file(path)
    metadata = read_header(path).metadata
    try:
        facts = AdapterFacts(**json.loads(metadata["facts"]))
        if metadata["format"] == FORMAT and facts.prepared in PREPROCESSORS and facts.size in SIZES:
            return facts
    except (KeyError, TypeError, ValueError) as error:
        raise _no_adapter(path) from error
    raise _no_adapter(path)


def load(path: Path, base: Path | None = None) -> Sam:
    """The SAM of an adapter with the adapter multiplied into its weights, on the CPU.

    path: the adapter's folder, or its tensors' file. base: the file of the SAM; None for whichever
    of the installed ones has its SHA-256.

    Raises WeightsError where the adapter is unusable, or the base missing or another.
    """
    from safetensors.torch import load_file

    from .network.lora import merged

    path = tensors_file(path)
    store.verify_recorded(path)
    facts = read_facts(path)
    found = _base_of(facts, path, base)
    network = sam_weights.load(found, PUBLISHED.get(facts.network))
    try:
        return merged(network, facts.peft, load_file(str(path)))
    except (KeyError, RuntimeError, TypeError, ValueError) as error:
        raise WeightsError(
            f"{path} does not fit the SAM it says it is of ({error}); train it again."
        ) from error


def _base_of(facts: AdapterFacts, path: Path, base: Path | None) -> Path:
    if base is not None:
        store.verify_recorded(base)
        if own_sha256(base) != facts.base_sha256:
            raise WeightsError(
                f"{path} is an adapter of {facts.base} with the SHA-256 {facts.base_sha256}, and "
                f"{base} is another; name that file as the base."
            )
        return base
    for name in BASES:
        try:
            there = store.find(name)
        except WeightsError:
            continue
        if own_sha256(there) == facts.base_sha256:
            store.verify_recorded(there)
            return there
    raise WeightsError(
        f"{path} is an adapter of {facts.base} with the SHA-256 {facts.base_sha256}, which is not "
        "installed; import that file with 'medsegfm weights import', or name it as the base."
    )


def _no_adapter(path: Path) -> WeightsError:
    return WeightsError(
        f"{path} is no adapter of SAM that MedSegFM's training wrote; give its folder, or the "
        f"{TENSORS_FILE} in it."
    )
