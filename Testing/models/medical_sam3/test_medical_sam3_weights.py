"""SAM3's checkpoints: both layouts give the same network, and nothing is left out unseen."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from medical_sam3_checkpoints import (
    SIDE,
    random_sam3,
    tiny_config,
    upstream_layout,
    write_checkpoint,
    write_tokenizer,
)
from safetensors.torch import save_file
from transformers import Sam3Config

from MedSegFMLib.errors import PromptError, WeightsError
from MedSegFMLib.models.medical_sam3 import weights as medical_sam3_weights
from MedSegFMLib.models.medical_sam3.tensor_names import bare, is_left_over, source_of
from MedSegFMLib.models.medical_sam3.tokenizer import PhraseTokenizer
from MedSegFMLib.models.medical_sam3.weights import (
    CONFIG,
    expected_shapes,
    load,
    write_config,
)
from MedSegFMLib.weights.checksums import record

pytestmark = pytest.mark.usefixtures("one_thread")

# Some names of the published sam3.pt, so that the table is not only right about itself.
PUBLISHED = {
    "vision_encoder.backbone.layers.31.attention.k_proj.bias": (
        "backbone.vision_backbone.trunk.blocks.31.attn.qkv.bias"
    ),
    "vision_encoder.backbone.layer_norm.weight": "backbone.vision_backbone.trunk.ln_pre.weight",
    "vision_encoder.neck.fpn_layers.0.scale_layers.2.weight": (
        "backbone.vision_backbone.convs.0.dconv_2x2_1.weight"
    ),
    "vision_encoder.neck.fpn_layers.1.scale_layers.0.weight": (
        "backbone.vision_backbone.convs.1.dconv_2x2.weight"
    ),
    "text_encoder.text_model.encoder.layers.7.self_attn.q_proj.weight": (
        "backbone.language_backbone.encoder.transformer.resblocks.7.attn.in_proj_weight"
    ),
    "text_encoder.text_projection.weight": "backbone.language_backbone.encoder.text_projection",
    "text_projection.bias": "backbone.language_backbone.resizer.bias",
    "geometry_encoder.layers.2.cross_attn.o_proj.bias": (
        "geometry_encoder.encode.2.cross_attn_image.out_proj.bias"
    ),
    "detr_encoder.layers.5.layer_norm3.weight": "transformer.encoder.layers.5.norm3.weight",
    "detr_decoder.layers.5.self_attn_layer_norm.weight": (
        "transformer.decoder.layers.5.norm2.weight"
    ),
    "detr_decoder.presence_head.layer3.weight": (
        "transformer.decoder.presence_token_head.layers.2.weight"
    ),
    "detr_decoder.box_rpb_embed_x.layer1.weight": (
        "transformer.decoder.boxRPB_embed_x.layers.0.weight"
    ),
    "dot_product_scoring.text_mlp.layer2.bias": "dot_prod_scoring.prompt_mlp.layers.1.bias",
    "mask_decoder.mask_embedder.layers.0.bias": (
        "segmentation_head.mask_predictor.mask_embed.layers.0.bias"
    ),
    "mask_decoder.prompt_cross_attn.v_proj.weight": (
        "segmentation_head.cross_attend_prompt.in_proj_weight"
    ),
}


def answers(network: torch.nn.Module) -> torch.Tensor:
    """The masks for a fixed picture, words and a box."""
    generator = torch.Generator().manual_seed(3)
    with torch.inference_mode():
        masks: torch.Tensor = network(
            pixel_values=torch.randn(1, 3, SIDE, SIDE, generator=generator),
            input_ids=torch.tensor([[0, 5, 9, 40, 1]]),
            attention_mask=torch.ones(1, 5, dtype=torch.long),
            input_boxes=torch.tensor([[[0.4, 0.5, 0.3, 0.2]]]),
        ).pred_masks
    return masks


def assert_same(found: torch.nn.Module, wanted: torch.nn.Module) -> None:
    """The same weights to the bit, and the same answers but for how sums are ordered in memory."""
    theirs = wanted.state_dict()
    assert all(torch.equal(tensor, theirs[name]) for name, tensor in found.state_dict().items())
    assert torch.allclose(answers(found), answers(wanted), atol=1e-3)


def with_config(path: Path) -> Path:
    write_config(tiny_config(), path.with_name(CONFIG))
    return path


def test_every_tensor_of_the_published_network_has_its_place_in_both_layouts() -> None:
    shapes = expected_shapes(Sam3Config())
    assert len(shapes) == 1468
    assert sum(torch.Size(shape).numel() for shape in shapes.values()) == 840_376_374
    with torch.device("meta"):
        theirs = upstream_layout({name: torch.empty(shape) for name, shape in shapes.items()})
    left = [name for name in theirs if is_left_over(name)]
    assert len(left) == 38
    found = medical_sam3_weights.as_transformers(theirs, shapes, Path("sam3.pt"))
    assert {name: tuple(tensor.shape) for name, tensor in found.items()} == shapes


def test_the_names_are_those_of_the_published_checkpoint() -> None:
    assert {name: source_of(name).name for name in PUBLISHED} == PUBLISHED


@pytest.mark.parametrize("prefix", ["", "detector_model."])
@pytest.mark.parametrize("wrapped", [False, True])
def test_transformers_layout_is_read_as_it_is(tmp_path: Path, prefix: str, wrapped: bool) -> None:
    network = random_sam3()
    state = {f"{prefix}{name}": tensor for name, tensor in network.state_dict().items()}
    path = with_config(tmp_path / "weights.pt")
    torch.save({"model": state} if wrapped else state, path)
    assert_same(load(path), network)


@pytest.mark.parametrize("prefix", ["", "detector."])
@pytest.mark.parametrize("wrapped", [False, True])
def test_the_authors_layout_gives_the_same_answers(
    tmp_path: Path, prefix: str, wrapped: bool
) -> None:
    network = random_sam3()
    theirs = upstream_layout(network.state_dict())
    assert not set(theirs) & set(network.state_dict()) - {
        name for name in theirs if name.startswith("geometry_encoder.")
    }
    state = {f"{prefix}{name}": tensor for name, tensor in theirs.items()}
    state["tracker.maskmem_tpos_enc"] = torch.zeros(2)
    state[f"{prefix}backbone.vision_backbone.sam2_convs.0.conv_1x1.bias"] = torch.zeros(2)
    path = with_config(tmp_path / "sam3.pt")
    torch.save({"model": state} if wrapped else state, path)
    assert_same(load(path), network)


def test_tensors_of_the_tracker_are_left_aside() -> None:
    names = ("tracker.x", "tracker_model.x", "tracker_neck.x")
    assert [bare(name) for name in names] == [None] * 3
    assert bare("detector.backbone.vision_backbone.sam2_convs.0.conv_1x1.bias") is None
    assert bare("detector.dot_prod_scoring.hs_proj.bias") == "dot_prod_scoring.hs_proj.bias"


@pytest.mark.parametrize("upstream", [False, True])
def test_a_missing_and_an_extra_tensor_are_named(tmp_path: Path, upstream: bool) -> None:
    state = dict(random_sam3().state_dict())
    lost = "detr_decoder.query_embed.weight"
    if upstream:
        state, lost = upstream_layout(state), "transformer.decoder.query_embed.weight"
    path = with_config(tmp_path / "weights.pt")
    torch.save({name: tensor for name, tensor in state.items() if name != lost}, path)
    with pytest.raises(WeightsError, match=f"{lost} is missing"):
        load(path)
    torch.save({**state, "head.bias": torch.zeros(2)}, path)
    with pytest.raises(WeightsError, match=r"head\.bias is unknown"):
        load(path)


def test_another_network_and_an_altered_file_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "weights.safetensors"
    save_file({"conv.weight": torch.zeros(3)}, str(path))
    with pytest.raises(WeightsError, match="is not for the network SAM3"):
        load(path)
    record(path, "0" * 64)
    with pytest.raises(WeightsError, match="modified or damaged"):
        load(path)


def test_a_configuration_of_the_video_network_gives_the_detectors(tmp_path: Path) -> None:
    path = write_checkpoint(tmp_path, tracker=False)
    said = json.loads(path.with_name(CONFIG).read_text(encoding="utf-8"))
    path.with_name(CONFIG).write_text(
        json.dumps({"model_type": "sam3_video", "detector_config": said}), encoding="utf-8"
    )
    assert_same(load(path), random_sam3())
    path.with_name(CONFIG).write_text('{"model_type": "bert"}', encoding="utf-8")
    with pytest.raises(WeightsError, match="of the network bert"):
        load(path)


def test_a_tokenizer_is_read_from_a_folder_and_never_fetched(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="no tokenizer in"):
        PhraseTokenizer(tmp_path, 16)
    words = PhraseTokenizer(write_tokenizer(tmp_path), 16)
    tokens, mask = words.tokens(["liver", "a kidney"])
    assert tokens.shape == mask.shape == (2, 16)
    # As the vocabulary says it, without the article; or word by word.
    assert mask.sum(dim=1).tolist() == [7, 8]
    exact = PhraseTokenizer(tmp_path, 16, is_exact=True)
    assert exact.tokens(["liver", "a kidney"])[1].sum(dim=1).tolist() == [7, 9]
    assert torch.equal(words.tokens(["Kidney_L"])[0], exact.tokens(["left kidney"])[0])
    assert tokens[0, 0] == 0 and tokens[0, 6] == 1
    with pytest.raises(PromptError, match="has 32 tokens"):
        words.tokens(["b" * 30])
    (tmp_path / "vocab.json").write_text("{", encoding="utf-8")
    with pytest.raises(WeightsError, match="cannot be read"):
        PhraseTokenizer(tmp_path, 16)


DOORS = {
    "attn_implementation": "someone/kernels",
    "_attn_implementation": "someone/kernels",
    "_attn_implementation_internal": "someone/kernels",
    "experts_implementation": "someone/kernels",
    "auto_map": {"AutoConfig": "someone/x--code.Config"},
    "trust_remote_code": True,
    "quantization_config": {"quant_method": "bitsandbytes"},
    "torch_dtype": "float16",
    "dtype": "float16",
    "per_layer_config": {"0": {"hidden_size": 8}},
    "_name_or_path": "someone/x",
}


def test_a_configuration_opens_no_door_to_other_code(tmp_path: Path) -> None:
    path = write_checkpoint(tmp_path, tracker=False)
    config = json.loads(path.with_name(CONFIG).read_text(encoding="utf-8"))
    parts = [config]
    while parts:
        part = parts.pop()
        parts += [item for item in part.values() if isinstance(item, dict)]
        if "model_type" in part:
            part.update(DOORS)
    path.with_name(CONFIG).write_text(json.dumps(config), encoding="utf-8")
    network = load(path)
    assert_same(network, random_sam3())
    found: Any = network.config
    for part in (found, found.vision_config, found.vision_config.backbone_config):
        assert part._attn_implementation == "sdpa" and part.dtype is None
        assert not hasattr(part, "auto_map") and not hasattr(part, "quantization_config")


@pytest.mark.parametrize(
    ("place", "setting", "words"),
    [
        ("backbone_config", {"model_type": "hiera"}, "must be sam3_vit_model"),
        ("text_config", {"model_type": "llama"}, "must be clip_text_model"),
        ("backbone_config", {"num_hidden_layers": 10**6}, "from 1 to 128"),
        ("backbone_config", {"hidden_size": 10**9}, "from 1 to 8192"),
        ("backbone_config", {"hidden_act": "os.system"}, "hidden_act .* one of gelu"),
        ("backbone_config", {"image_size": 2044}, "patches, and at most"),
        ("backbone_config", {"window_size": 1000}, "a slice is 4 patches wide"),
        ("backbone_config", {"rope_parameters": {"rope_type": "yarn"}}, "rope_parameters"),
        ("text_config", {"vocab_size": 10**9}, "vocab_size"),
        ("detr_decoder_config", {"num_queries": 1.5}, "a whole number"),
    ],
    ids=str,
)
def test_a_configuration_beyond_its_bounds_is_refused(
    place: str, setting: dict[str, Any], words: str, tmp_path: Path
) -> None:
    path = write_checkpoint(tmp_path, tracker=False)
    config = json.loads(path.with_name(CONFIG).read_text(encoding="utf-8"))
    (config["vision_config"] if place == "backbone_config" else config)[place].update(setting)
    path.with_name(CONFIG).write_text(json.dumps(config), encoding="utf-8")
    with pytest.raises(WeightsError, match=f"is not a configuration of SAM3: .*{words}") as caught:
        load(path)
    assert str(caught.value).endswith("; remove it, or get it again.")


def test_a_tokenizer_is_its_vocabulary_and_merges_alone(tmp_path: Path) -> None:
    from transformers import CLIPTokenizer

    write_tokenizer(tmp_path)
    tokens = json.loads((tmp_path / "vocab.json").read_text(encoding="utf-8"))
    tokens |= {"li": len(tokens), "er</w>": len(tokens) + 1}
    (tmp_path / "vocab.json").write_text(json.dumps(tokens), encoding="utf-8")
    (tmp_path / "merges.txt").write_text("#version: 0.2\nl i\ne r</w>\n", encoding="utf-8")
    phrases = ["Liver  tumour", "a kidney's 3 cysts!"]
    theirs = CLIPTokenizer.from_pretrained(str(tmp_path), local_files_only=True)
    wanted = theirs(phrases, padding="max_length", max_length=32, return_tensors="pt")
    whole = tmp_path / "whole"
    theirs.save_pretrained(str(whole))
    written = json.loads((whole / "tokenizer.json").read_text(encoding="utf-8"))
    # An expression that would not end.
    written["normalizer"] = {"type": "Replace", "pattern": {"Regex": "(l|i)*$x"}, "content": ""}
    (whole / "tokenizer.json").write_text(json.dumps(written), encoding="utf-8")
    (whole / "tokenizer_config.json").write_text('{"auto_map": {"x": "code.Evil"}}')
    for folder in (tmp_path, whole):
        found, mask = PhraseTokenizer(folder, 32).tokens(phrases)
        assert torch.equal(found, wanted["input_ids"])
        assert torch.equal(mask, wanted["attention_mask"])
