"""MedSAM2's weights: read strictly in both published layouts, with a checked configuration."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import pytest
import torch
from medsam2_checkpoints import random_medsam2, tiny_config, upstream_layout, write_checkpoint
from safetensors.torch import save_file

from MedSegFMLib import create
from MedSegFMLib.errors import WeightsError
from MedSegFMLib.models.medsam2 import weights as medsam2_weights
from MedSegFMLib.models.medsam2.config_file import config_beside
from MedSegFMLib.models.sam.layouts.transformers_files import CONFIG
from MedSegFMLib.models.sam.sam2.tensor_names import sources_of

FILES = ("latest", "2411", "CTLesion", "MRI_LiverLesion", "US_Heart")
HERE = Path("MedSAM2_latest.pt")

# Some names of the published files, so that the table is not only right about itself.
PUBLISHED = {
    "vision_encoder.backbone.pos_embed_window": "image_encoder.trunk.pos_embed_window",
    "vision_encoder.backbone.patch_embed.projection.weight": (
        "image_encoder.trunk.patch_embed.proj.weight"
    ),
    "vision_encoder.backbone.blocks.1.proj.bias": "image_encoder.trunk.blocks.1.proj.bias",
    "vision_encoder.backbone.blocks.3.layer_norm1.bias": "image_encoder.trunk.blocks.3.norm1.bias",
    "vision_encoder.backbone.blocks.3.attn.qkv.weight": (
        "image_encoder.trunk.blocks.3.attn.qkv.weight"
    ),
    "vision_encoder.backbone.blocks.3.mlp.proj_in.weight": (
        "image_encoder.trunk.blocks.3.mlp.layers.0.weight"
    ),
    "vision_encoder.backbone.blocks.3.mlp.proj_out.weight": (
        "image_encoder.trunk.blocks.3.mlp.layers.1.weight"
    ),
    "vision_encoder.neck.convs.2.weight": "image_encoder.neck.convs.2.conv.weight",
    "memory_attention.layers.3.cross_attn_image.o_proj.weight": (
        "memory_attention.layers.3.cross_attn_image.out_proj.weight"
    ),
    "memory_attention.layers.0.layer_norm2.bias": "memory_attention.layers.0.norm2.bias",
    "memory_attention.layer_norm.weight": "memory_attention.norm.weight",
    "memory_encoder.mask_downsampler.layers.3.conv.weight": (
        "memory_encoder.mask_downsampler.encoder.9.weight"
    ),
    "memory_encoder.mask_downsampler.layers.1.layer_norm.bias": (
        "memory_encoder.mask_downsampler.encoder.4.bias"
    ),
    "memory_encoder.mask_downsampler.final_conv.bias": (
        "memory_encoder.mask_downsampler.encoder.12.bias"
    ),
    "memory_encoder.feature_projection.weight": "memory_encoder.pix_feat_proj.weight",
    "memory_encoder.projection.weight": "memory_encoder.out_proj.weight",
    "memory_encoder.memory_fuser.layers.1.scale": "memory_encoder.fuser.layers.1.gamma",
    "memory_encoder.memory_fuser.layers.0.depthwise_conv.bias": (
        "memory_encoder.fuser.layers.0.dwconv.bias"
    ),
    "memory_encoder.memory_fuser.layers.0.pointwise_conv2.bias": (
        "memory_encoder.fuser.layers.0.pwconv2.bias"
    ),
    "memory_encoder.memory_fuser.layers.0.layer_norm.bias": (
        "memory_encoder.fuser.layers.0.norm.bias"
    ),
    "prompt_encoder.mask_embed.conv3.weight": "sam_prompt_encoder.mask_downscaling.6.weight",
    "prompt_encoder.mask_embed.layer_norm2.weight": "sam_prompt_encoder.mask_downscaling.4.weight",
    "prompt_encoder.not_a_point_embed.weight": "sam_prompt_encoder.not_a_point_embed.weight",
    "prompt_encoder.shared_embedding.positional_embedding": (
        "sam_prompt_encoder.pe_layer.positional_encoding_gaussian_matrix"
    ),
    "shared_image_embedding.positional_embedding": (
        "sam_prompt_encoder.pe_layer.positional_encoding_gaussian_matrix"
    ),
    "mask_decoder.transformer.layers.0.mlp.proj_in.weight": (
        "sam_mask_decoder.transformer.layers.0.mlp.layers.0.weight"
    ),
    "mask_decoder.transformer.layers.1.mlp.proj_out.bias": (
        "sam_mask_decoder.transformer.layers.1.mlp.layers.1.bias"
    ),
    "mask_decoder.transformer.layers.1.self_attn.o_proj.bias": (
        "sam_mask_decoder.transformer.layers.1.self_attn.out_proj.bias"
    ),
    "mask_decoder.transformer.layer_norm_final_attn.weight": (
        "sam_mask_decoder.transformer.norm_final_attn.weight"
    ),
    "mask_decoder.output_hypernetworks_mlps.3.layers.0.bias": (
        "sam_mask_decoder.output_hypernetworks_mlps.3.layers.1.bias"
    ),
    "mask_decoder.pred_obj_score_head.proj_out.weight": (
        "sam_mask_decoder.pred_obj_score_head.layers.2.weight"
    ),
    "mask_decoder.upscale_layer_norm.weight": "sam_mask_decoder.output_upscaling.1.weight",
    "mask_decoder.conv_s1.bias": "sam_mask_decoder.conv_s1.bias",
    "mask_decoder.obj_score_token.weight": "sam_mask_decoder.obj_score_token.weight",
    "object_pointer_proj.layers.0.bias": "obj_ptr_proj.layers.1.bias",
    "temporal_positional_encoding_projection_layer.weight": "obj_ptr_tpos_proj.weight",
    "mask_downsample.weight": "mask_downsample.weight",
    "memory_temporal_positional_encoding": "maskmem_tpos_enc",
    "no_memory_embedding": "no_mem_embed",
    "no_memory_positional_encoding": "no_mem_pos_enc",
    "no_object_pointer": "no_obj_ptr",
    "occlusion_spatial_embedding_parameter": "no_obj_embed_spatial",
}


def test_every_tensor_of_the_published_network_has_its_place_in_both_layouts() -> None:
    shapes = medsam2_weights.expected_shapes(config_beside(HERE))
    # Two tables of positions are no parameters.
    numbers = sum(torch.Size(shape).numel() for shape in shapes.values())
    assert numbers == 38_962_498 + 2 * 2 * 128
    parts = {"vision_encoder.": 27_219_136, "memory_attention.": 5_922_304}
    for prefix, count in {**parts, "memory_encoder.": 1_384_608}.items():
        own = [torch.Size(s).numel() for name, s in shapes.items() if name.startswith(prefix)]
        assert sum(own) == count
    with torch.device("meta"):
        theirs = upstream_layout({name: torch.empty(shape) for name, shape in shapes.items()})
    # One table of positions for two of transformers', and four kinds of clicks for its one.
    assert len(theirs) == len(shapes) - 1 + 3 == 471
    found = medsam2_weights.as_transformers(theirs, shapes, HERE)
    assert {name: tuple(tensor.shape) for name, tensor in found.items()} == shapes


def test_names_are_those_of_the_published_files() -> None:
    assert {name: sources_of(name)[0].name for name in PUBLISHED} == PUBLISHED
    kinds = sources_of("prompt_encoder.point_embed.weight")
    assert tuple(source.name for source in kinds) == tuple(
        f"sam_prompt_encoder.point_embeddings.{kind}.weight" for kind in range(4)
    )


@pytest.mark.parametrize("name", FILES)
def test_all_published_files_are_of_one_network(name: str, tmp_path: Path) -> None:
    config = config_beside(tmp_path / f"MedSAM2_{name}.pt")
    assert config.image_size == 512
    assert config.memory_attention_rope_feat_sizes == [32, 32]


@pytest.mark.parametrize("upstream", [False, True])
def test_both_layouts_give_the_same_network(upstream: bool, tmp_path: Path) -> None:
    found: Any = medsam2_weights.load(write_checkpoint(tmp_path, upstream=upstream))
    wanted: Any = random_medsam2()
    theirs = wanted.state_dict()
    assert found.state_dict().keys() == theirs.keys()
    assert all(torch.equal(tensor, theirs[name]) for name, tensor in found.state_dict().items())


@pytest.mark.parametrize("upstream", [False, True])
def test_missing_extra_and_misshapen_tensors_are_named(upstream: bool, tmp_path: Path) -> None:
    network: Any = random_medsam2()
    state = dict(network.state_dict())
    state = upstream_layout(state) if upstream else state
    shapes = medsam2_weights.expected_shapes(tiny_config())
    lost = "no_obj_ptr" if upstream else "no_object_pointer"
    rest = {name: tensor for name, tensor in state.items() if name != lost}
    for changed, fault in (
        (rest, f"{lost} is missing"),
        ({**state, "head.bias": torch.zeros(2)}, r"head\.bias is unknown.*\.pt files"),
        ({**state, lost: torch.zeros(3, 4)}, rf"{lost} is \(3, 4\) instead of \(1, 128\)"),
    ):
        with pytest.raises(WeightsError, match=fault):
            medsam2_weights.as_transformers(changed, shapes, HERE)


def test_weights_of_a_larger_network_are_refused_without_its_configuration(
    tmp_path: Path,
) -> None:
    path = write_checkpoint(tmp_path, upstream=True)
    (tmp_path / CONFIG).unlink()
    with pytest.raises(WeightsError, match=r"is not for the network SAM 2\.1"):
        create("medsam2", "cpu", weights=path)


def test_a_file_that_would_run_code_is_never_loaded(tmp_path: Path) -> None:
    class Harmful:
        def __reduce__(self) -> tuple[Any, tuple[str]]:
            return print, ("ran",)

    path = write_checkpoint(tmp_path, upstream=True)
    torch.save({"model": {"no_mem_embed": torch.zeros(1), "x": Harmful()}}, path)
    with pytest.raises(WeightsError, match="never loaded"):
        create("medsam2", "cpu", weights=path)
    path.write_bytes(pickle.dumps(Harmful()))
    with pytest.raises(WeightsError):
        create("medsam2", "cpu", weights=path)


def test_a_folder_of_transformers_is_read(tmp_path: Path) -> None:
    write_checkpoint(tmp_path)
    assert create("medsam2", "cpu", weights=tmp_path).card.name == "medsam2"
    (tmp_path / "empty").mkdir()
    with pytest.raises(WeightsError, match=r"has no model\.safetensors"):
        create("medsam2", "cpu", weights=tmp_path / "empty")


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"model_type": "sam3_video"}, "of the network sam3_video, not of sam2_video"),
        ({"image_size": 63}, "image_size is 63, and it must be a multiple of 32"),
        ({"image_size": 10**6}, "image_size of the configuration is 1000000"),
        ({"memory_attention_rope_feat_sizes": [9, 9]}, r"need \[4, 4\]"),
        ({"num_maskmem": 0}, "num_maskmem of the configuration is 0"),
        ({"mask_decoder_config": 3}, "mask_decoder_config is 3"),
        ({"vision_config": {"model_type": "hiera"}}, "model_type of vision_config is 'hiera'"),
    ],
)
def test_a_configuration_that_fits_no_network_is_refused(
    change: dict[str, Any], fault: str, tmp_path: Path
) -> None:
    path = write_checkpoint(tmp_path)
    values = json.loads((tmp_path / CONFIG).read_text(encoding="utf-8"))
    (tmp_path / CONFIG).write_text(json.dumps({**values, **change}), encoding="utf-8")
    with pytest.raises(WeightsError, match=fault):
        create("medsam2", "cpu", weights=path)


def test_the_configuration_of_another_network_is_not_that_of_a_published_file(
    tmp_path: Path,
) -> None:
    (tmp_path / CONFIG).write_text('{"model_type": "sam3_video"}', encoding="utf-8")
    assert config_beside(tmp_path / "MedSAM2_latest.pt").image_size == 512


def test_nothing_that_names_code_is_passed_on(tmp_path: Path) -> None:
    path = write_checkpoint(tmp_path)
    values = json.loads((tmp_path / CONFIG).read_text(encoding="utf-8"))
    values.update(attn_implementation="someone/kernels", auto_map={"AutoModel": "code.Model"})
    (tmp_path / CONFIG).write_text(json.dumps(values), encoding="utf-8")
    config = config_beside(path)
    assert config._attn_implementation == "sdpa" and not hasattr(config, "auto_map")


def test_values_that_are_not_finite_are_refused(tmp_path: Path) -> None:
    network: Any = random_medsam2()
    state = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    state["no_object_pointer"][0, 0] = float("nan")
    write_checkpoint(tmp_path)
    save_file(state, str(tmp_path / "model.safetensors"))
    with pytest.raises(WeightsError, match="not finite"):
        create("medsam2", "cpu", weights=tmp_path)


def test_without_weights_a_sentence_leads_to_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MEDSEGFM_WEIGHTS", str(tmp_path))
    with pytest.raises(WeightsError, match=r"weights import medsam2 FILE"):
        create("medsam2", "cpu")
