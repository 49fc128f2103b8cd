"""Phrases embedded by Qwen3 as VoxTell's package embeds them: the last token of an instruction."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ...errors import PromptError, WeightsError
from ...system.foreign_errors import check_finite_output, predicting_errors
from ...weights.layout import check_layout
from ..common.configuration_errors import configuration_errors
from ..common.quiet import quiet
from ..common.setting_rules import check_parameters
from ..common.state_dict import check_finite
from .embedding_bank import Vector
from .encoder_folder import ADVICE, NEEDS, PUBLISHED_ENCODER, EncoderFiles, read
from .folder import MODEL

if TYPE_CHECKING:
    import torch

# Of a text with its instruction, as in the package.
_MOST_TOKENS = 8192


class TextEncoder:
    """The text encoder in a folder.

    On a GPU it computes in 16 bits, as the package does; on the CPU in 32 bits, one layer at a
    time, so that it takes no more memory than its file.

    Args:
        folder: The folder of Qwen3-Embedding-4B.
        channels: The length of an embedding that the network takes.
        device: Where it runs.

    Raises:
        WeightsError: The folder is incomplete, damaged, or of another network.
    """

    def __init__(self, folder: Path, channels: int, device: torch.device) -> None:
        from transformers import Qwen2Tokenizer

        files = read(folder)
        if files.settings.get("hidden_size") != channels:
            raise WeightsError(
                f"{folder} embeds texts in {files.settings.get('hidden_size')} numbers, and this "
                f"VoxTell takes {channels}; {ADVICE}."
            )
        self._folder, self._device, self._closing = folder, device, files.closing
        with quiet(), configuration_errors(MODEL, folder, NEEDS, ADVICE):
            merges: Any = list(files.merges)
            self._tokenizer: Any = Qwen2Tokenizer(vocab=dict(files.vocabulary), merges=merges)
            self._network = _network(files)
            if device.type == "cpu":
                _compute_in_32_bits(self._network)
            else:
                import torch

                self._network.to(device, torch.bfloat16)

    def embed(self, phrase: str) -> Vector:
        """The embedding (channels) of a phrase in lower case.

        Raises:
            PromptError: It is too long.
            ModelError: The encoder fails.
            DeviceError: Memory runs out.
        """
        import torch
        from voxtell.utils.text_embedding import wrap_with_instruction

        with predicting_errors(MODEL, self._folder), torch.inference_mode(), quiet():
            (text,) = wrap_with_instruction([phrase])
            tokens = self._tokenizer(text, add_special_tokens=False)["input_ids"]
            numbers = [*tokens, *self._closing]
            if len(numbers) > _MOST_TOKENS:
                raise PromptError(
                    f"The text has {len(numbers)} tokens; give a shorter one, of {_MOST_TOKENS} at "
                    "most."
                )
            given = torch.tensor([numbers], device=self._device)
            hidden = self._network(input_ids=given, use_cache=False).last_hidden_state
            vector: Vector = hidden[0, -1].float().cpu().numpy()
        check_finite_output(vector, PUBLISHED_ENCODER, self._folder)
        return np.ascontiguousarray(vector)


def _network(files: EncoderFiles) -> Any:
    """The network on the CPU, in evaluation mode, with tensors of the types in the files."""
    import torch
    from transformers import Qwen3Config, Qwen3Model

    config = Qwen3Config(**files.settings)
    config._attn_implementation = "sdpa"
    with torch.device("meta"):
        network: Any = Qwen3Model(config)
    expected = {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}
    found = {name: tuple(tensor.shape) for name, tensor in files.tensors.items()}
    check_layout(found, expected, files.path, PUBLISHED_ENCODER, ADVICE)
    check_parameters(expected.values(), "the text encoder")
    check_finite(files.tensors, files.path)
    network.load_state_dict(dict(files.tensors), assign=True)
    # Its table is computed, and not among the tensors.
    network.rotary_emb = type(network.rotary_emb)(config)
    return network.requires_grad_(False).eval()


def _compute_in_32_bits(network: Any) -> None:
    """Let each layer compute in 32 bits with weights that stay as they are stored."""

    def widen(module: torch.nn.Module, *_: object) -> None:
        for parameter in module.parameters():
            stored.append((parameter, parameter.data))
            parameter.data = parameter.data.float()

    def restore(module: torch.nn.Module, *_: object) -> None:
        while stored:
            parameter, data = stored.pop()
            parameter.data = data

    stored: list[tuple[torch.nn.Parameter, torch.Tensor]] = []
    network.embed_tokens.register_forward_hook(lambda module, given, found: found.float())
    for layer in (*network.layers, network.norm):
        layer.register_forward_pre_hook(widen)
        layer.register_forward_hook(restore, always_call=True)
