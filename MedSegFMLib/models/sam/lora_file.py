"""Low-rank adapters of SAM as saved by peft, with the identity of their SAM.

A folder with `adapter_config.json` and `adapter_model.safetensors`, which
`peft.PeftModel.from_pretrained` reads. The metadata of the tensor file contain the same and more,
so that this file alone can be imported as the weights of a model.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...errors import MissingPartError, WeightsError
from ...system.foreign_errors import fault_of, loading_errors
from ...system.json_files import parse_json
from ...weights import store
from ...weights.checksums import own_sha256
from ...weights.safetensors_header import read_header
from ..common.adapter_files import TENSORS_FILE, tensors_file, write_adapters
from ..common.state_dict import check_finite, read_safetensors
from . import network_files
from .base import BASES
from .layouts.transformers_files import weights_file
from .prepared import PREPARED
from .preprocessing import SIZES

if TYPE_CHECKING:
    from torch import Tensor

    from .network.image_sam import ImageSam
    from .network.network import Sam

FORMAT = "medsegfm.crossplane"


@dataclass(frozen=True)
class AdapterFacts:
    """The description of an adapter.

    Attributes:
        base: The name of the SAM it was trained on: of stored weights or of a file.
        base_sha256: The SHA-256 of that file.
        network: The SAM's name; see `NetworkConfig`.
        prepared: The preprocessing of slices, one of `PREPARED`.
        size: One of `preprocessing.SIZES`.
        peft: peft's configuration of the adapters.
        data: The training data (`labelled_volumes.manifest`).
        settings: The settings of the training, as typed.
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
    """Write an adapter folder.

    Args:
        folder: The folder to write to.
        facts: The description of the adapter.
        tensors: The tensors under peft's names.

    Raises:
        OutputError: If the files cannot be written.
    """
    write_adapters(folder, FORMAT, asdict(facts), tensors)


def read_facts(path: Path) -> AdapterFacts:
    """Read the description of an adapter, given as a folder or as its tensor file.

    Raises:
        WeightsError: If it is missing, truncated or not written by this project.
    """
    path = tensors_file(path)
    metadata = read_header(path).metadata
    try:
        facts = AdapterFacts(**parse_json(metadata["facts"], dict))
        if metadata["format"] == FORMAT and facts.prepared in PREPARED and facts.size in SIZES:
            return facts
    except (KeyError, TypeError, ValueError) as error:
        raise _no_adapter(path) from error
    raise _no_adapter(path)


def load(path: Path, base: Path | None = None) -> Sam | ImageSam:
    """Load the SAM of an adapter, on the CPU, with the adapter merged into its weights.

    Args:
        path: The adapter's folder, or its tensor file.
        base: The file of the SAM, or its folder; None for the installed one that has the SHA-256 of
            the adapter's SAM.

    Raises:
        WeightsError: If the adapter is unusable, or the base is missing or a different one.
    """
    from .network.lora import merged

    path = tensors_file(path)
    store.verify_recorded(path)
    facts = read_facts(path)
    tensors = read_safetensors(path)
    check_finite(tensors, path)
    base_path = _base_of(facts, path, base)
    network = network_files.load(base_path)
    with loading_errors("crossplane", path, "train it again"):
        try:
            network = merged(network, facts.peft, tensors)
        except (KeyError, RuntimeError, TypeError, ValueError) as error:
            raise WeightsError(
                f"{path} does not fit the SAM that its metadata name ({fault_of(error)}); train it "
                "again."
            ) from error
        # Two finite matrices can have a product that is not.
        check_finite(network.state_dict(), path)
        return network


def _base_of(facts: AdapterFacts, path: Path, base: Path | None) -> Path:
    if base is not None:
        base = weights_file(base)
        store.verify_recorded(base)
        if own_sha256(base) != facts.base_sha256:
            raise WeightsError(
                f"{path} is an adapter of {facts.base} with the SHA-256 {facts.base_sha256}, but "
                f"{base} is a different file; name the right one as the base."
            )
        return base
    for name in BASES:
        try:
            installed = store.find(name)
        except WeightsError:
            continue
        if own_sha256(installed) == facts.base_sha256:
            store.verify_recorded(installed)
            return installed
    raise MissingPartError(
        f"{path} is an adapter of {facts.base} with the SHA-256 {facts.base_sha256}, which is not "
        "installed; import that file with 'medsegfm weights import', or name it as the base."
    )


def _no_adapter(path: Path) -> WeightsError:
    return WeightsError(
        f"{path} is not an adapter of SAM from MedSegFM's training; give its folder, or the "
        f"{TENSORS_FILE} in it."
    )
