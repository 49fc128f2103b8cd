"""SAM3's tracker: read in both layouts, and the same as transformers' own inference on videos."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from medical_sam3_checkpoints import (
    SIDE,
    TRACKED_WIDTH,
    random_sam3,
    random_tracker,
    tiny_config,
    tracker_state,
    upstream_layout,
    upstream_tracker,
    write_checkpoint,
)
from sam3_references import features_of, transformers_own
from transformers import (
    Sam3Config,
    Sam3TrackerVideoConfig,
    Sam3TrackerVideoInferenceSession,
)

from MedSegFMLib import create
from MedSegFMLib.errors import ModelError, WeightsError
from MedSegFMLib.models.medical_sam3 import tracker_weights
from MedSegFMLib.models.medical_sam3 import weights as medical_sam3_weights
from MedSegFMLib.models.medical_sam3.tracker import sam3_tracker
from MedSegFMLib.models.medical_sam3.tracker_tensor_names import (
    has_tracker,
    is_left_over,
    sources_of,
)
from MedSegFMLib.models.medical_sam3.tracker_weights import Sam3Tracker, load_tracker

pytestmark = pytest.mark.usefixtures("one_thread")


FRAMES = 9

# Some names of the published sam3.pt, so that the table is not only right about itself.
PUBLISHED = {
    "tracker_neck.fpn_layers.0.scale_layers.2.weight": (
        "backbone.vision_backbone.sam2_convs.0.dconv_2x2_1.weight"
    ),
    "tracker_neck.fpn_layers.3.proj1.bias": "backbone.vision_backbone.sam2_convs.3.conv_1x1.bias",
    "tracker_model.memory_temporal_positional_encoding": "tracker.maskmem_tpos_enc",
    "tracker_model.no_memory_embedding": "tracker.no_mem_embed",
    "tracker_model.no_memory_positional_encoding": "tracker.no_mem_pos_enc",
    "tracker_model.no_object_pointer": "tracker.no_obj_ptr",
    "tracker_model.occlusion_spatial_embedding_parameter": "tracker.no_obj_embed_spatial",
    "tracker_model.object_pointer_proj.proj_in.weight": "tracker.obj_ptr_proj.layers.0.weight",
    "tracker_model.object_pointer_proj.layers.0.weight": "tracker.obj_ptr_proj.layers.1.weight",
    "tracker_model.object_pointer_proj.proj_out.bias": "tracker.obj_ptr_proj.layers.2.bias",
    "tracker_model.temporal_positional_encoding_projection_layer.bias": (
        "tracker.obj_ptr_tpos_proj.bias"
    ),
    "tracker_model.mask_downsample.weight": "tracker.mask_downsample.weight",
    "tracker_model.memory_attention.layers.3.cross_attn_image.o_proj.weight": (
        "tracker.transformer.encoder.layers.3.cross_attn_image.out_proj.weight"
    ),
    "tracker_model.memory_attention.layers.0.layer_norm2.bias": (
        "tracker.transformer.encoder.layers.0.norm2.bias"
    ),
    "tracker_model.memory_attention.layer_norm.weight": "tracker.transformer.encoder.norm.weight",
    "tracker_model.memory_encoder.mask_downsampler.layers.3.conv.weight": (
        "tracker.maskmem_backbone.mask_downsampler.encoder.9.weight"
    ),
    "tracker_model.memory_encoder.mask_downsampler.layers.1.layer_norm.bias": (
        "tracker.maskmem_backbone.mask_downsampler.encoder.4.bias"
    ),
    "tracker_model.memory_encoder.mask_downsampler.final_conv.bias": (
        "tracker.maskmem_backbone.mask_downsampler.encoder.12.bias"
    ),
    "tracker_model.memory_encoder.feature_projection.weight": (
        "tracker.maskmem_backbone.pix_feat_proj.weight"
    ),
    "tracker_model.memory_encoder.projection.weight": "tracker.maskmem_backbone.out_proj.weight",
    "tracker_model.memory_encoder.memory_fuser.layers.1.scale": (
        "tracker.maskmem_backbone.fuser.layers.1.gamma"
    ),
    "tracker_model.memory_encoder.memory_fuser.layers.0.depthwise_conv.bias": (
        "tracker.maskmem_backbone.fuser.layers.0.dwconv.bias"
    ),
    "tracker_model.memory_encoder.memory_fuser.layers.0.layer_norm.bias": (
        "tracker.maskmem_backbone.fuser.layers.0.norm.bias"
    ),
    "tracker_model.prompt_encoder.mask_embed.layer_norm2.weight": (
        "tracker.sam_prompt_encoder.mask_downscaling.4.weight"
    ),
    "tracker_model.prompt_encoder.not_a_point_embed.weight": (
        "tracker.sam_prompt_encoder.not_a_point_embed.weight"
    ),
    "tracker_model.prompt_encoder.shared_embedding.positional_embedding": (
        "tracker.sam_prompt_encoder.pe_layer.positional_encoding_gaussian_matrix"
    ),
    "tracker_model.shared_image_embedding.positional_embedding": (
        "tracker.sam_prompt_encoder.pe_layer.positional_encoding_gaussian_matrix"
    ),
    "tracker_model.mask_decoder.output_hypernetworks_mlps.3.layers.0.bias": (
        "tracker.sam_mask_decoder.output_hypernetworks_mlps.3.layers.1.bias"
    ),
    "tracker_model.mask_decoder.iou_prediction_head.proj_out.weight": (
        "tracker.sam_mask_decoder.iou_prediction_head.layers.2.weight"
    ),
    "tracker_model.mask_decoder.transformer.layers.0.mlp.proj_in.weight": (
        "tracker.sam_mask_decoder.transformer.layers.0.mlp.lin1.weight"
    ),
    "tracker_model.mask_decoder.transformer.layers.1.self_attn.o_proj.bias": (
        "tracker.sam_mask_decoder.transformer.layers.1.self_attn.out_proj.bias"
    ),
    "tracker_model.mask_decoder.transformer.layer_norm_final_attn.weight": (
        "tracker.sam_mask_decoder.transformer.norm_final_attn.weight"
    ),
    "tracker_model.mask_decoder.upscale_layer_norm.weight": (
        "tracker.sam_mask_decoder.output_upscaling.1.weight"
    ),
    "tracker_model.mask_decoder.conv_s0.weight": "tracker.sam_mask_decoder.conv_s0.weight",
    "tracker_model.mask_decoder.obj_score_token.weight": (
        "tracker.sam_mask_decoder.obj_score_token.weight"
    ),
}


def assert_same(found: Sam3Tracker, wanted: Sam3Tracker) -> None:
    theirs = tracker_state(wanted)
    mine = tracker_state(found)
    assert set(mine) == set(theirs)
    assert all(torch.equal(tensor, theirs[name]) for name, tensor in mine.items())


def whole_checkpoint(upstream: bool) -> tuple[dict[str, torch.Tensor], Sam3Config, Sam3Tracker]:
    """A detector and a tracker as one file holds them."""
    network: Any = random_sam3(config=tiny_config(width=TRACKED_WIDTH))
    tracker = random_tracker(network.config)
    if upstream:
        theirs = upstream_layout(network.state_dict())
        state = {f"detector.{name}": tensor for name, tensor in theirs.items()}
        state.update(upstream_tracker(tracker_state(tracker)))
    else:
        state = {f"detector_model.{n}": tensor for n, tensor in network.state_dict().items()}
        state.update(tracker_state(tracker))
    return state, network.config, tracker


def test_every_tensor_of_the_published_tracker_has_its_place_in_both_layouts() -> None:
    shapes = tracker_weights.expected_shapes(Sam3TrackerVideoConfig(), Sam3Config())
    assert len(shapes) == 329
    # Sam3VideoModel without its detector, and two tables of positions that are no parameters.
    positions = 2 * 2 * 128
    assert sum(torch.Size(shape).numel() for shape in shapes.values()) == (
        859_921_848 - 840_376_374 + positions
    )
    with torch.device("meta"):
        theirs = upstream_tracker({name: torch.empty(shape) for name, shape in shapes.items()})
    # One table of positions for two of transformers', and four kinds of clicks for its one.
    assert len(theirs) == len(shapes) - 1 + 3
    assert sum(name.startswith("tracker.") for name in theirs) == 309
    own = tracker_weights.tracker_tensors(theirs)
    found = tracker_weights.as_transformers(own, shapes, Path("sam3.pt"))
    assert {name: tuple(tensor.shape) for name, tensor in found.items()} == shapes


def test_the_trackers_names_are_those_of_the_published_checkpoint() -> None:
    assert {name: sources_of(name)[0] for name in PUBLISHED} == PUBLISHED
    assert sources_of("tracker_model.prompt_encoder.point_embed.weight") == tuple(
        f"tracker.sam_prompt_encoder.point_embeddings.{kind}.weight" for kind in range(4)
    )
    assert is_left_over("tracker.transformer.encoder.layers.0.self_attn.freqs_cis")
    assert not has_tracker(["detector.backbone.vision_backbone.sam2_convs.0.conv_1x1.bias"])


@pytest.mark.parametrize("upstream", [False, True])
def test_both_layouts_give_the_same_tracker(tmp_path: Path, upstream: bool) -> None:
    state, config, tracker = whole_checkpoint(upstream)
    path = write_checkpoint(tmp_path)
    torch.save({"model": state}, tmp_path / "sam3.pt")
    held = medical_sam3_weights.read_checkpoint(tmp_path / "sam3.pt")
    assert has_tracker(held)
    assert_same(load_tracker(held, config, path), tracker)
    network: Any = medical_sam3_weights.load_detector(held, path)
    wanted: Any = random_sam3(config=config)
    theirs = wanted.state_dict()
    assert all(torch.equal(tensor, theirs[name]) for name, tensor in network.state_dict().items())


@pytest.mark.parametrize("upstream", [False, True])
def test_a_trackers_missing_and_extra_tensors_are_named(tmp_path: Path, upstream: bool) -> None:
    state, config, _ = whole_checkpoint(upstream)
    path = write_checkpoint(tmp_path)
    lost = "tracker.no_obj_ptr" if upstream else "tracker_model.no_object_pointer"
    with pytest.raises(WeightsError, match=f"{lost} is missing"):
        load_tracker({n: tensor for n, tensor in state.items() if n != lost}, config, path)
    extra = "tracker.head.bias" if upstream else "tracker_model.head.bias"
    with pytest.raises(WeightsError, match=rf"{extra} is unknown.*propagation=boxes"):
        load_tracker({**state, extra: torch.zeros(2)}, config, path)


def test_without_a_configuration_of_its_own_the_tracker_is_the_published_one(
    tmp_path: Path,
) -> None:
    tracker_config = tracker_weights.tracker_config
    detector: Any = tiny_config()
    found = tracker_config(detector, tmp_path / "sam3.pt")
    assert found.image_size == SIDE and found.memory_attention_num_layers == 4
    path = write_checkpoint(tmp_path)
    assert tracker_config(detector, path).memory_attention_num_layers == 2
    path.with_name("config.json").write_text('{"tracker_config": 3}', encoding="utf-8")
    with pytest.raises(WeightsError, match=r"not a configuration of SAM3's tracker"):
        tracker_config(detector, path)


def test_propagation_is_chosen_by_name_and_needs_a_tracker_to_be_there(tmp_path: Path) -> None:
    without = write_checkpoint(tmp_path / "without", tracker=False)
    with pytest.raises(ModelError, match="no propagation 'video'; choose from auto"):
        create("medical-sam3", "cpu", weights=without, propagation="video")
    with pytest.raises(WeightsError, match=r"contains no tracker; give SAM3's own sam3\.pt"):
        create("medical-sam3", "cpu", weights=without, propagation="tracker")


def frames_and_features() -> tuple[torch.Tensor, list[np.ndarray], Any, Sam3Tracker]:
    """Pictures, what a detector's vision transformer makes of them, both networks."""
    network: Any = random_sam3(config=tiny_config(width=TRACKED_WIDTH))
    tracker = random_tracker(network.config)
    generator = torch.Generator().manual_seed(1)
    frames = torch.randn(FRAMES, 3, SIDE, SIDE, generator=generator)
    return frames, features_of(frames, network), network, tracker


def disc(centre: int) -> np.ndarray:
    rows, columns = np.ogrid[:SIDE, :SIDE]
    return np.asarray((rows - centre) ** 2 + (columns - 25) ** 2 < 150)


@pytest.mark.parametrize("held", [{4: 20}, {2: 20, 6: 40}])
def test_following_is_transformers_own_inference_on_videos(held: dict[int, int]) -> None:
    frames, features, network, tracker = frames_and_features()
    mine = sam3_tracker(tracker, torch.device("cpu"))
    theirs = transformers_own(network, tracker)
    for backward in (False, True):
        session: Any = Sam3TrackerVideoInferenceSession(video=frames, dtype=torch.float32)
        number = session.obj_id_to_idx(1)
        track = mine.begin(FRAMES, backward)
        for index, centre in held.items():
            mask = disc(centre)
            session.add_mask_inputs(number, index, torch.from_numpy(mask)[None, None].float())
            session.obj_with_new_inputs = [1]
            theirs(session, frame_idx=index)
            track.hold(index, features[index], mask)
        start = max(held) if backward else min(held)
        for wanted in theirs.propagate_in_video_iterator(session, start, reverse=backward):
            if wanted.frame_idx not in held:
                found = track.follow(wanted.frame_idx, features[wanted.frame_idx])
                assert np.allclose(found, wanted.pred_masks[0, 0].numpy(), atol=1e-5)
    assert len(np.unique(found)) > 10


def test_a_click_is_answered_as_on_a_videos_first_prompt() -> None:
    frames, features, network, tracker = frames_and_features()
    with torch.no_grad():
        tracker.model.mask_decoder.pred_obj_score_head.proj_out.bias.fill_(1e3)
    mine = sam3_tracker(tracker, torch.device("cpu"))
    theirs = transformers_own(network, tracker)
    for clicks in ([(20.0, 31.0, True)], [(20.0, 31.0, True), (40.0, 8.0, False)]):
        session: Any = Sam3TrackerVideoInferenceSession(video=frames, dtype=torch.float32)
        inputs = {
            "point_coords": torch.tensor([[[click[:2] for click in clicks]]]),
            "point_labels": torch.tensor([[[int(click[2]) for click in clicks]]]),
        }
        session.add_point_inputs(session.obj_id_to_idx(1), 3, inputs)
        session.obj_with_new_inputs = [1]
        wanted = theirs(session, frame_idx=3).pred_masks[0, 0].numpy()
        assert np.allclose(mine.clicked(features[3], clicks, None), wanted, atol=1e-5)
    before = np.where(disc(20), 8.0, -8.0).astype(np.float32)
    assert not np.allclose(mine.clicked(features[3], clicks, before), wanted, atol=1e-3)


def test_what_the_network_does_not_see_is_there_after_a_click_on_it() -> None:
    _, features, _, tracker = frames_and_features()
    with torch.no_grad():
        tracker.model.mask_decoder.pred_obj_score_head.proj_out.bias.fill_(-1e3)
    mine = sam3_tracker(tracker, torch.device("cpu"))
    before = np.where(disc(20), 8.0, -8.0).astype(np.float32)
    assert (mine.clicked(features[0], [(20.0, 31.0, False)], before) < 0).all()
    assert len(np.unique(mine.clicked(features[0], [(20.0, 31.0, True)], before))) > 10


def test_only_what_is_needed_again_is_remembered() -> None:
    _, features, _, tracker = frames_and_features()
    tracker.model.config.max_object_pointers_in_encoder = 3
    tracker.model.config.num_maskmem = 3
    track = sam3_tracker(tracker, torch.device("cpu")).begin(FRAMES, backward=False)
    track.hold(0, features[0], disc(20))
    for index in range(1, FRAMES):
        track.follow(index, features[index])
    kept = track._session.output_dict_per_obj[0]["non_cond_frame_outputs"]
    assert sorted(kept) == [FRAMES - 3, FRAMES - 2, FRAMES - 1]
    assert all("high_res_masks" not in output for output in kept.values())
