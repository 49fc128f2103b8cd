"""Low-rank adapters in SAM's network, through peft.

Hu et al., "LoRA: low-rank adaptation of large language models", 2021. The weights are frozen;
beside each chosen linear layer a product of two thin matrices is learnt.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeVar, get_args

from torch import Tensor

from ...common.lora import check_lora_settings, load_adapters, lora_settings
from .config import Family, NetworkConfig
from .image_sam import ImageSam
from .network import Sam

if TYPE_CHECKING:
    from peft import PeftModel

AnySam = TypeVar("AnySam", Sam, ImageSam)
Targets = Literal["qkv", "attention", "all"]
DecoderPart = Literal["lora", "frozen"]


@dataclass(frozen=True)
class _Layers:
    """The names of layers of a family, as regular expressions.

    Attributes:
        blocks: The list of encoder blocks.
        within: By the choice of targets, the layers of a block.
        decoder: The layers of the mask decoder's transformer.
    """

    blocks: str
    within: Mapping[Targets, str]
    decoder: str


_IN_DECODER = r"mask_decoder\.transformer\..*\.({})"
_LAYERS: dict[Family, _Layers] = {
    "sam": _Layers(
        r"image_encoder\.blocks",
        {
            "qkv": r"attn\.qkv",
            "attention": r"attn\.(qkv|proj)",
            "all": r"(attn\.(qkv|proj)|mlp\.lin[12])",
        },
        _IN_DECODER.format("q_proj|k_proj|v_proj|out_proj|lin1|lin2"),
    ),
    "sam2": _Layers(
        r"vision_encoder\.backbone\.blocks",
        {
            "qkv": r"attn\.qkv",
            "attention": r"attn\.(qkv|proj)",
            "all": r"(attn\.(qkv|proj)|mlp\.proj_(in|out))",
        },
        _IN_DECODER.format("q_proj|k_proj|v_proj|o_proj|proj_in|proj_out"),
    ),
    "sam3": _Layers(
        r"vision_encoder\.backbone\.layers",
        {
            "qkv": r"attention\.[qkv]_proj",
            "attention": r"attention\.[qkvo]_proj",
            "all": r"(attention\.[qkvo]_proj|mlp\.fc[12])",
        },
        _IN_DECODER.format("q_proj|k_proj|v_proj|o_proj|proj_in|proj_out"),
    ),
}


@dataclass(frozen=True)
class LoraChoice:
    """The location and size of adapters.

    Attributes:
        rank: The rank of each product.
        alpha: Each product is multiplied by alpha / rank.
        dropout: The dropout probability of its input.
        targets: The adapted linear layers of an encoder block.
        blocks: The number of adapted encoder blocks, from the last; 0 means all.
        decoder: Whether the transformer of the mask decoder has adapters.
    """

    rank: int
    alpha: float
    dropout: float
    targets: Targets
    blocks: int
    decoder: DecoderPart

    def first_block(self, config: NetworkConfig) -> int:
        """The first block with adapters; those before it stay frozen."""
        return max(0, config.depth - self.blocks) if self.blocks else 0

    def peft_settings(self, config: NetworkConfig) -> dict[str, Any]:
        """The choice as peft's `LoraConfig` takes it, in JSON types."""
        numbers = "|".join(map(str, range(self.first_block(config), config.depth)))
        layers = _LAYERS[config.family]
        names = rf"{layers.blocks}\.({numbers})\.{layers.within[self.targets]}"
        if self.decoder == "lora":
            names = f"({names}|{layers.decoder})"
        return lora_settings(self.rank, self.alpha, self.dropout, names)


def with_adapters(network: Sam | ImageSam, settings: Mapping[str, Any]) -> PeftModel:
    """A network with new adapters in place; its output is unchanged until they are trained.

    Everything but the adapters is frozen. `network` itself is changed.

    Args:
        network: The network to adapt.
        settings: See `LoraChoice.peft_settings`.

    Raises:
        TypeError, ValueError: If peft does not accept the settings.
    """
    from peft import LoraConfig, get_peft_model

    network.requires_grad_(False)
    network.plain_decoder = True
    return get_peft_model(network, LoraConfig(**settings))


def merged(network: AnySam, settings: Mapping[str, Any], tensors: dict[str, Tensor]) -> AnySam:
    """A network with trained adapters merged into its weights; `network` itself is changed.

    Raises:
        TypeError, ValueError: As in `with_adapters`.
        KeyError, RuntimeError: As in `load_adapters`.
    """
    check_lora_settings(settings, _written_names(network.config))
    was_plain = network.plain_decoder
    model = with_adapters(network, settings)
    load_adapters(model, tensors)
    whole: Any = model.merge_and_unload()
    whole.plain_decoder = was_plain
    whole.requires_grad_(False)
    whole.eval()
    result: AnySam = whole
    return result


def _written_names(config: NetworkConfig) -> list[str]:
    """The expressions of layers of every choice."""
    choices = (
        LoraChoice(1, 1.0, 0.0, targets, blocks, decoder)
        for targets in get_args(Targets)
        for blocks in range(config.depth + 1)
        for decoder in get_args(DecoderPart)
    )
    return [choice.peft_settings(config)["target_modules"] for choice in choices]
