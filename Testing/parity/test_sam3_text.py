"""Text alone in SAM3: the prompt ends with the class token of an empty geometry prompt.

The token is computed here from the authors' tensors by the equations of their geometry encoder
(facebookresearch/sam3, `SequenceGeometryEncoder` of three pre-norm layers), and the network's other
parts are called one by one. With the published network, another query wins without the token.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

from medical_sam3_checkpoints import (  # noqa: E402
    SIDE,
    random_sam3,
    upstream_layout,
    write_tokenizer,
)
from torch import Tensor  # noqa: E402
from torch.nn.functional import layer_norm, linear, multi_head_attention_forward, relu  # noqa: E402

from MedSegFMLib.models.medical_sam3.runtime import SliceQuestion  # noqa: E402
from MedSegFMLib.models.medical_sam3.tokenizer import PhraseTokenizer  # noqa: E402
from MedSegFMLib.models.medical_sam3.torch_runtime import TorchSam3Runtime  # noqa: E402
from MedSegFMLib.progress import no_progress  # noqa: E402
from MedSegFMLib.train.recipes.medical_sam3.forward import answers  # noqa: E402

HEADS, LAYERS = 4, 2
THRESHOLD = 1e-5
"""Above the rounding of sums in another order; the authors' own code differed by 3e-6 from the
padded box, and by 0.126 without it, with the published network's sizes."""


class Authors:
    """The authors' tensors of the geometry encoder, and its equations for no boxes."""

    def __init__(self, network: Any) -> None:
        self._all: Mapping[str, Tensor] = upstream_layout(network.state_dict())

    def _of(self, name: str) -> tuple[Tensor, Tensor]:
        start = f"geometry_encoder.{name}"
        return self._all[f"{start}.weight"], self._all[f"{start}.bias"]

    def _norm(self, name: str, tokens: Tensor) -> Tensor:
        return layer_norm(tokens, tokens.shape[-1:], *self._of(name))

    def _attend(self, name: str, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        start = f"geometry_encoder.{name}"
        found, _ = multi_head_attention_forward(
            query.transpose(0, 1),
            key.transpose(0, 1),
            value.transpose(0, 1),
            query.shape[-1],
            HEADS,
            self._all[f"{start}.in_proj_weight"],
            self._all[f"{start}.in_proj_bias"],
            None,
            None,
            False,
            0.0,
            *self._of(f"{name}.out_proj"),
            training=False,
        )
        return found.transpose(0, 1)

    def token(self, features: Tensor, positions: Tensor) -> Tensor:
        """The class token (n, 1, c) beside features (n, c, h, w) of the coarsest level."""
        image, place = (part.flatten(2).transpose(1, 2) for part in (features, positions))
        token = self._all["geometry_encoder.cls_embed.weight"].expand(len(image), 1, -1)
        token = self._norm("norm", linear(token, *self._of("final_proj")))
        for n in range(LAYERS):
            own = self._norm(f"encode.{n}.norm1", token)
            token = token + self._attend(f"encode.{n}.self_attn", own, own, own)
            own = self._norm(f"encode.{n}.norm2", token)
            token = token + self._attend(f"encode.{n}.cross_attn_image", own, image + place, image)
            own = self._norm(f"encode.{n}.norm3", token)
            own = relu(linear(own, *self._of(f"encode.{n}.linear1")))
            token = token + linear(own, *self._of(f"encode.{n}.linear2"))
        return self._norm("encode_norm", token)


def by_parts(
    network: Any, images: Tensor, tokens: Tensor, counts: Tensor, has_token: bool
) -> tuple[Tensor, Tensor]:
    """Scores (n, q) and masks (n, q, h, w) with and without the class token, as probabilities."""
    levels = network.vision_encoder(images)
    features, positions = levels.fpn_hidden_states[:-1], levels.fpn_position_encoding[:-1]
    prompt = network.get_text_features(
        input_ids=tokens, attention_mask=counts, return_dict=True
    ).pooler_output
    mask = counts.bool()
    if has_token:
        prompt = torch.cat([prompt, Authors(network).token(features[-1], positions[-1])], 1)
        mask = torch.cat([mask, torch.ones(len(mask), 1, dtype=torch.bool)], 1)
    encoded = network.detr_encoder([features[-1]], prompt, [positions[-1]], mask)
    decoded = network.detr_decoder(
        vision_features=encoded.last_hidden_state,
        text_features=encoded.text_features,
        vision_pos_encoding=encoded.pos_embeds_flattened,
        text_mask=mask,
        spatial_shapes=encoded.spatial_shapes,
    )
    hidden = decoded.intermediate_hidden_states
    logits = network.dot_product_scoring(hidden, encoded.text_features, mask)[-1].squeeze(-1)
    masks = network.mask_decoder(
        hidden[-1], list(features), encoded.last_hidden_state, prompt, mask
    ).pred_masks
    return logits.sigmoid() * decoded.presence_logits[-1].sigmoid(), masks.sigmoid()


@pytest.fixture(scope="module")
def network() -> Any:
    return random_sam3(3)


@pytest.fixture(scope="module")
def images() -> Tensor:
    return torch.randn(2, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(1))


def test_inference_from_text_is_that_with_the_authors_class_token(
    network: Any, images: Tensor, tmp_path: Any
) -> None:
    words = PhraseTokenizer(write_tokenizer(tmp_path), 16)
    tokens, counts = words.tokens(["liver", "left kidney"])
    with torch.inference_mode():
        scores, masks = by_parts(network, images, tokens, counts, has_token=True)
        bare_scores, bare_masks = by_parts(network, images, tokens, counts, has_token=False)
    runtime = TorchSam3Runtime(network, words, torch.device("cpu"))
    questions = [SliceQuestion("liver"), SliceQuestion("left kidney")]
    features = runtime.encode(images.numpy(), no_progress)
    for n, answer in enumerate(runtime.decode(features, questions, 0.0, no_progress)):
        best = int(scores[n].argmax())
        assert answer.score == pytest.approx(float(scores[n, best]), abs=THRESHOLD)
        assert answer.logits is not None
        mask = torch.from_numpy(np.ascontiguousarray(answer.logits)).sigmoid()
        assert (mask - masks[n, best]).abs().max() < THRESHOLD
        assert (mask - bare_masks[n, int(bare_scores[n].argmax())]).abs().max() > 0.05


def test_training_on_text_is_that_with_the_authors_class_token(
    network: Any, images: Tensor
) -> None:
    tokens = torch.tensor([[0, 5, 41, 1], [0, 7, 50, 1]])
    counts = torch.tensor([[1, 1, 1, 1], [1, 1, 1, 0]])
    with torch.inference_mode():
        one, many = answers(network, images, tokens, counts, many=True)
        scores, masks = by_parts(network, images, tokens, counts, has_token=True)
        bare_scores, bare_masks = by_parts(network, images, tokens, counts, has_token=False)
    found = one.logits[-1].sigmoid() * one.presence[-1].sigmoid()[:, None]
    assert (found - scores).abs().max() < THRESHOLD
    assert one.masks is not None and many is not None
    assert (one.masks.sigmoid() - masks).abs().max() < THRESHOLD
    assert (found - bare_scores).abs().max() > 1e-3
    assert (one.masks.sigmoid() - bare_masks).abs().max() > 0.05
