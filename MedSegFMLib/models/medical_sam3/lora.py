"""Low-rank adapters in SAM3's detector, in peft's own files, tied to their base weights.

Hu et al., "LoRA: low-rank adaptation of large language models", 2021. A folder with
`adapter_config.json` and `adapter_model.safetensors`, whose metadata contain the SHA-256 of the
weights that the adapters were trained on, peft's configuration, and the data.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast, get_args

from ...errors import WeightsError
from ...system.foreign_errors import fault_of, loading_errors
from ...system.json_files import parse_json
from ...weights import store
from ...weights.safetensors_header import read_header
from ..common.adapter_files import tensors_file, write_adapters
from ..common.lora import check_lora_settings, load_adapters, lora_settings
from ..common.state_dict import check_finite, read_safetensors

if TYPE_CHECKING:
    from transformers import Sam3Model

Targets = Literal["qv", "attention", "all"]

FORMAT = "medsegfm.medical-sam3"

_IN_ATTENTION = {"qv": "[qv]_proj", "attention": "[qkvo]_proj", "all": "[qkvo]_proj"}
_PLACES = (
    r"(vision_encoder\.backbone\.layers\.\d+\.attention"
    r"|detr_(en|de)coder\.layers\.\d+\.\w*attn)"
)
_MLP = r"(vision_encoder\.backbone|detr_(en|de)coder)\.layers\.\d+\.mlp\.fc[12]"


def peft_settings(rank: int, alpha: float, dropout: float, targets: Targets) -> dict[str, Any]:
    """The settings of adapters as peft's `LoraConfig` takes them, in JSON types.

    The adapters are in the vision transformer and in the detector's two transformers.

    Args:
        rank: The rank of each product.
        alpha: Each product is multiplied by alpha / rank.
        dropout: The dropout probability of its input.
        targets: Queries and values, whole attentions, or the layers' perceptrons as well.
    """
    names = rf"{_PLACES}\.{_IN_ATTENTION[targets]}"
    if targets == "all":
        names = f"({names}|{_MLP})"
    return lora_settings(rank, alpha, dropout, names)


def with_adapters(network: Sam3Model, settings: Mapping[str, Any]) -> Any:
    """A PeftModel around a network with new adapters in place.

    Args:
        network: The network.
        settings: See `peft_settings`.

    Raises:
        ValueError, TypeError: If the settings do not fit the network.
    """
    from peft import LoraConfig, get_peft_model

    with warnings.catch_warnings():
        # peft reads a property of transformers under its old name, which does not concern the user.
        warnings.simplefilter("ignore", FutureWarning)
        return get_peft_model(network, LoraConfig(**settings))


def write(
    folder: Path, base_sha256: str, peft: Mapping[str, Any], more: Mapping[str, Any], model: Any
) -> None:
    """Write the adapters of a PeftModel.

    Args:
        folder: The folder to write to.
        base_sha256: The SHA-256 of the file of its network.
        peft: The settings of the adapters.
        more: Further metadata, such as the data.
        model: The PeftModel.

    Raises:
        OutputError: If the files cannot be written.
    """
    from peft import get_peft_model_state_dict

    facts = {"base_sha256": base_sha256, "peft": dict(peft), **more}
    write_adapters(folder, FORMAT, facts, get_peft_model_state_dict(model))


def check_base(path: Path, base_sha256: str) -> None:
    """Check that adapters are there and of the weights with this SHA-256; reads a header only.

    Raises:
        WeightsError: If they are missing, of another model, or of other weights.
    """
    path = tensors_file(path)
    theirs = str(_facts(path)["base_sha256"])
    if theirs != base_sha256:
        raise WeightsError(
            f"The adapters {path} were trained on weights with the SHA-256 {theirs}, not "
            f"{base_sha256}; give those with --weights, or leave the adapters out."
        )


def merged(network: Sam3Model, path: Path, base_sha256: str) -> Sam3Model:
    """The network with adapters merged into its weights; `network` itself is changed.

    Args:
        network: The network.
        path: The adapters' folder, or their tensor file.
        base_sha256: The SHA-256 of the file of the network.

    Raises:
        WeightsError: If the adapters are missing, altered, of another model, or of other weights.
    """
    path = tensors_file(path)
    store.verify_recorded(path)
    check_base(path, base_sha256)
    facts = _facts(path)
    tensors = read_safetensors(path)
    check_finite(tensors, path)
    with loading_errors("medical-sam3", path, "train it again"):
        try:
            written = (peft_settings(1, 1.0, 0.0, targets) for targets in get_args(Targets))
            check_lora_settings(facts["peft"], (known["target_modules"] for known in written))
            model = with_adapters(network, facts["peft"])
            load_adapters(model, tensors)
        except (OSError, KeyError, ValueError, TypeError, RuntimeError) as error:
            raise WeightsError(
                f"{path} does not fit medical-sam3 ({fault_of(error)}); train it again."
            ) from error
        whole: Any = model.merge_and_unload()
    whole.requires_grad_(False)
    whole.eval()
    # Two finite matrices can have a product that is not.
    check_finite(whole.state_dict(), path)
    return cast("Sam3Model", whole)


def _facts(path: Path) -> dict[str, Any]:
    """The metadata of the adapters' tensor file."""
    metadata = read_header(path).metadata
    try:
        facts = parse_json(metadata["facts"], dict) if metadata["format"] == FORMAT else {}
        if isinstance(facts["base_sha256"], str) and isinstance(facts["peft"], dict):
            return cast("dict[str, Any]", facts)
    except (KeyError, TypeError, ValueError) as error:
        raise _no_adapters(path) from error
    raise _no_adapters(path)


def _no_adapters(path: Path) -> WeightsError:
    return WeightsError(
        f"{path} contains no adapters of medical-sam3; give the folder of a training with "
        "mode=lora."
    )
