"""VISTA3D: masks equal to those of MONAI's bundle, and what boxes, masks and names do."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from vista3d_checkpoints import PATCH, random_vista3d, write_checkpoint

from MedSegFMLib import Box, Geometry, Mask, Point, Session, Text, Volume, create
from MedSegFMLib.errors import Cancelled, ModelError, PromptError, VolumeError
from MedSegFMLib.models.vista3d.class_scores import ClassScores
from MedSegFMLib.models.vista3d.classes import NO_CLASS, all_numbers, numbers_by_class
from MedSegFMLib.progress import no_progress

# (i, j, k), and whether they are on the object, in two windows.
CLICKS = [((18, 16, 7), True), ((48, 20, 6), True), ((22, 18, 5), False)]
# 1.5 mm make two windows of it.
SHAPE, SPACING_MM = (14, 36, 66), (0.9, 0.9, 2.1)


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_checkpoint(tmp_path_factory.mktemp("vista3d") / "model.pt")


@pytest.fixture
def volume(directions: np.ndarray) -> Volume:
    return body(Geometry.from_spacing(SHAPE, SPACING_MM, directions, (5, -6, 70)))


def body(geometry: Geometry) -> Volume:
    """An ellipsoid of tissue with structures in air, with no two voxels alike."""
    rng = np.random.default_rng(0)
    k, j, i = (np.linspace(-1, 1, n) for n in geometry.shape_kji)
    radius = np.sqrt(k[:, None, None] ** 2 + j[:, None] ** 2 + i**2)
    waves = 250 * np.sin(9 * i) * np.cos(7 * j)[:, None] * np.sin(5 * k)[:, None, None]
    array = np.where(radius < 0.9, 60 + waves, -900) + rng.normal(0, 15, geometry.shape_kji)
    return Volume(array.astype(np.float32), geometry)


def model(weights: Path, **options: Any) -> Any:
    return create("vista3d", "cpu", weights=weights, patch=PATCH, **options)


def mask_of(weights: Path, volume: Volume, prompts: Sequence[Any], **options: Any) -> np.ndarray:
    """The model's own answer to some prompts, without what a session adds."""
    segmenter = model(weights, **options)
    encoding = segmenter.encode(volume, None, no_progress)
    return np.asarray(segmenter.predict(encoding, prompts, None, no_progress).mask.array_kji > 0)


def published(volume: Volume, network: Any, prompts: dict[str, Any], refine: bool = False) -> Any:
    """The label map (k, j, i) of MONAI's bundle: its transforms, inferers and postprocessing.

    As configs/inference.json and scripts/evaluator.py and inferer.py of the model zoo's vista3d.
    With `refine`, clicks correct the class in the whole image (prev_mask).
    """
    from monai.apps.vista3d.inferer import point_based_window_inferer
    from monai.apps.vista3d.transforms import VistaPostTransformd
    from monai.data import MetaTensor
    from monai.inferers import sliding_window_inference
    from monai.transforms import (
        CastToTyped,
        Compose,
        CropForegroundd,
        Invertd,
        Orientationd,
        ScaleIntensityRanged,
        Spacingd,
    )

    image = torch.from_numpy(volume.array_kji.transpose().copy())[None]
    before = Compose(
        [
            Spacingd("image", pixdim=[1.5, 1.5, 1.5], mode="bilinear"),
            CropForegroundd("image", source_key="image", allow_smaller=True, margin=10),
            ScaleIntensityRanged("image", -963.8247715525971, 1053.678477684517, 0, 1, clip=True),
            Orientationd("image", axcodes="RAS", labels=(("L", "R"), ("P", "A"), ("I", "S"))),
            CastToTyped("image", dtype=torch.float32),
        ]
    )
    data = before({"image": MetaTensor(image, affine=volume.geometry.ijk_to_ras.copy())})
    inputs, classes = data["image"][None], prompts.get("classes")
    vector = None if classes is None else torch.tensor(classes)[:, None]
    points = labels = None
    if "points" in prompts:
        given = np.array([[*ijk, 1] for ijk in prompts["points"]], float)
        to_grid = np.linalg.inv(np.asarray(data["image"].affine)) @ volume.geometry.ijk_to_ras
        points = torch.from_numpy((given @ to_grid.T)[:, :3])[None]
        # The network sees nothing on the lowest face, so the model moves clicks away from it.
        points = points.clamp(min=1e-3)
        labels = torch.tensor([prompts["labels"]])

    def automatic() -> Any:
        return sliding_window_inference(
            inputs,
            (PATCH,) * 3,
            1,
            network,
            overlap=0.3,
            mode="gaussian",
            padding_mode="replicate",
            transpose=True,
            class_vector=vector,
        )

    with torch.inference_mode(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if points is None:
            pred = automatic()
        else:
            pred = point_based_window_inferer(
                inputs,
                (PATCH,) * 3,
                network,
                points,
                labels,
                prompt_class=vector,
                prev_mask=automatic() if refine else None,
                transpose=True,
            )
        after = {"pred": pred[0], "points": points, "point_labels": labels}
        after = {name: value for name, value in after.items() if value is not None}
        if refine or vector is not None:
            after["label_prompt"] = vector[:, 0]
        answer = VistaPostTransformd("pred")(after)["pred"]
    back = Invertd("pred", before, "image", nearest_interp=True)
    data["pred"] = MetaTensor(answer, meta=data["image"].meta)
    found = np.nan_to_num(back(data)["pred"][0].numpy(), nan=0)
    return found.transpose().astype(int)


def relabelled(labels: np.ndarray, numbers: Sequence[int]) -> np.ndarray:
    """Labels 1, 2 ... instead of the numbers of classes."""
    found = np.zeros_like(labels)
    for label, number in enumerate(numbers, 1):
        found[labels == number] = label
    return found


def points(volume: Volume) -> list[Point]:
    return [Point.from_ijk(volume.geometry, ijk, positive) for ijk, positive in CLICKS]


def clicks(special: bool = False) -> dict[str, Any]:
    """The same clicks as the bundle takes them; on tumours their labels are 2 and 3."""
    labels = [int(positive) + 2 * special for _, positive in CLICKS]
    return {"points": [ijk for ijk, _ in CLICKS], "labels": labels}


def but_for_clicks(mask: np.ndarray) -> np.ndarray:
    """Without the clicked voxels, whose labels the model sets to those of their clicks."""
    rest = mask.copy()
    for (i, j, k), _ in CLICKS:
        rest[k, j, i] = False
    return rest


def test_a_class_is_that_of_the_published_bundle(weights: Path, volume: Volume) -> None:
    wanted = published(volume, random_vista3d(), {"classes": [1]})
    assert 0.05 < (wanted == 1).mean() < 0.95
    found = mask_of(weights, volume, [Text("Liver")])
    assert np.array_equal(found, wanted == 1)


def test_several_classes_are_those_of_the_published_bundle(weights: Path, volume: Volume) -> None:
    names = ("spleen", "aorta", "left kidney")
    numbers = [numbers_by_class()[name][0] for name in names]
    wanted = relabelled(published(volume, random_vista3d(), {"classes": numbers}), numbers)
    session = Session(model(weights), volume)
    for name in names:
        session.add(Text(name), session.add_object(name))
    assert np.unique(wanted).tolist() == [0, 1, 2, 3]
    assert np.array_equal(session.labelmap().array_kji, wanted)


def test_clicks_alone_give_the_published_bundles_mask(weights: Path, volume: Volume) -> None:
    wanted = but_for_clicks(published(volume, random_vista3d(), clicks()) == 1)
    assert 0.01 < wanted.mean() < 0.95
    assert np.array_equal(but_for_clicks(mask_of(weights, volume, points(volume))), wanted)


@pytest.mark.parametrize("name", ["liver", "hepatic tumor"])
def test_clicks_correct_a_class_as_with_the_bundles_previous_mask(
    name: str, weights: Path, volume: Volume
) -> None:
    prompts = {"classes": list(numbers_by_class()[name]), **clicks(special=name != "liver")}
    wanted = but_for_clicks(published(volume, random_vista3d(), prompts, refine=True) > 0)
    found = mask_of(weights, volume, [Text(name), *points(volume)])
    assert np.array_equal(but_for_clicks(found), wanted)
    for part in ([Text(name)], points(volume)):
        assert not np.array_equal(found, mask_of(weights, volume, part))


def test_a_click_on_no_class_gives_another_answer_if_objects_are_unknown(weights: Path) -> None:
    volume = body(Geometry.from_spacing(SHAPE, SPACING_MM))
    known, unknown = (
        mask_of(weights, volume, points(volume), zero_shot=choice) for choice in ("no", "yes")
    )
    assert not np.array_equal(known, unknown) and NO_CLASS not in all_numbers()


def test_a_click_for_another_object_far_away_changes_nothing(weights: Path) -> None:
    volume = body(Geometry.from_spacing((14, 20, 130), (1.5, 1.5, 1.5)))
    near = Point.from_ijk(volume.geometry, (30, 10, 7))
    far = Point.from_ijk(volume.geometry, (100, 10, 7), positive=False)
    segmenter = model(weights)
    encoding = segmenter.encode(volume, None, no_progress)
    phrases: list[str] = []
    alone = segmenter.predict(encoding, [near], None, no_progress).mask.array_kji
    both = segmenter.predict(
        encoding, [near, far], None, lambda _, phrase: phrases.append(phrase)
    ).mask.array_kji
    assert alone.any() and np.array_equal(alone, both)
    assert phrases.count("Predicting around the clicks") == 1


def test_a_box_cuts_the_answer_and_alone_is_a_click_in_its_middle(weights: Path) -> None:
    volume = body(Geometry.from_spacing(SHAPE, SPACING_MM))
    box = Box.from_ijk(volume.geometry, (10, 10, 4), (30, 27, 11))
    inside = np.zeros(volume.geometry.shape_kji, bool)
    inside[4:11, 10:27, 10:30] = True
    middle = Point.from_ijk(volume.geometry, (19, 18, 7))
    clicked = mask_of(weights, volume, [middle])
    middle_voxel = np.zeros_like(inside)
    middle_voxel[7, 18, 19] = True
    boxed = mask_of(weights, volume, [box])
    assert np.array_equal(boxed | middle_voxel, clicked & inside | middle_voxel)
    liver = mask_of(weights, volume, [Text("liver")])
    assert np.array_equal(mask_of(weights, volume, [Text("liver"), box]), liver & inside)
    beyond = Point.from_ijk(volume.geometry, (48, 20, 6))
    assert mask_of(weights, volume, [box, beyond])[~inside].sum() > 1


def test_clicks_correct_a_mask_to_start_from(weights: Path, volume: Volume) -> None:
    inside = np.zeros(volume.geometry.shape_kji, bool)
    inside[4:10, 9:28, 12:36] = True
    start = Mask.from_array(inside, volume.geometry)
    assert (mask_of(weights, volume, [start]) == inside).mean() > 0.98
    corrected = mask_of(weights, volume, [start, *points(volume)])
    assert not np.array_equal(corrected, mask_of(weights, volume, points(volume)))
    assert (corrected[inside]).mean() > 0.3


def test_a_mask_on_the_networks_own_grid_comes_back_as_it_is(
    weights: Path, directions: np.ndarray
) -> None:
    volume = body(Geometry.from_spacing((24, 32, 28), (1.5, 1.5, 1.5), directions, (3, 4, 5)))
    inside = volume.array_kji > 200
    assert np.array_equal(
        mask_of(weights, volume, [Mask.from_array(inside, volume.geometry)]), inside
    )


def test_kidney_lung_and_bone_are_the_union_of_their_parts(weights: Path) -> None:
    volume = body(Geometry.from_spacing(SHAPE, SPACING_MM))
    kidney, left, right = (
        mask_of(weights, volume, [Text(name)]) for name in ("kidney", "left kidney", "right kidney")
    )
    assert np.array_equal(kidney, left | right) and left.any() and right.any()
    assert numbers_by_class()["kidney"] == (14, 5) and len(numbers_by_class()["bone"]) == 62


def test_names_are_those_of_the_published_classes_that_are_supported() -> None:
    names = tuple(numbers_by_class())
    assert len(names) == 127 and len(all_numbers()) == 124
    assert names[-3:] == ("kidney", "lung", "bone")
    assert [numbers_by_class()[name] for name in ("liver", "vertebrae S1", "airway")] == [
        (1,),
        (127,),
        (132,),
    ]
    assert not {"rectum", "kidney mass", "vertebrae L6"} & set(names)


def test_names_are_matched_as_people_write_them(weights: Path) -> None:
    volume = body(Geometry.from_spacing((10, 20, 20), (1.5, 1.5, 1.5)))
    session = Session(model(weights), volume)
    for phrase in ("Kidney_L", "urinary bladder", "clavicle left", "L5", "thyroid"):
        session.add(Text(phrase), session.add_object())
    with pytest.raises(PromptError, match="has no class 'unicorn'"):
        session.add(Text("unicorn"))


def test_all_classes_take_a_few_passes_and_a_single_one_takes_one() -> None:
    asked: list[int] = []

    def score(numbers: Sequence[int], progress: Any) -> np.ndarray:
        asked.append(len(numbers))
        return np.stack([np.full((2, 2, 2), n, np.float32) for n in numbers])

    scores = ClassScores(score, all_numbers(), 1000, 1 << 20)
    assert (scores.of(5, no_progress) == 5).all() and asked == [1]
    assert all((scores.of(n, no_progress) == n).all() for n in all_numbers())
    assert sum(asked) <= len(all_numbers()) and len(asked) == 7


def test_work_in_windows_reports_progress_and_can_be_cancelled(weights: Path) -> None:
    volume = body(Geometry.from_spacing((14, 44, 66), (1.5, 1.5, 1.5)))
    segmenter = model(weights)
    encoding = segmenter.encode(volume, None, no_progress)
    told: list[float] = []
    segmenter.predict(encoding, [Text("liver")], None, lambda done, _: told.append(done))
    assert told == sorted(told) and len(told) > 4 and told[-1] == 1

    def cancel(fraction: float, phrase: str) -> None:
        if phrase == "Predicting around the clicks":
            raise Cancelled("stopped")

    with pytest.raises(Cancelled):
        segmenter.predict(encoding, points(volume), None, cancel)


def test_a_volume_below_0_hu_is_refused(weights: Path) -> None:
    geometry = Geometry.from_spacing((8, 8, 8), (1, 1, 1))
    rng = np.random.default_rng(0)
    air = Volume(rng.normal(-900, 10, geometry.shape_kji).astype(np.float32), geometry)
    with pytest.raises(VolumeError, match="above 0 HU"):
        model(weights).encode(air, None, no_progress)


@pytest.mark.parametrize(
    ("option", "value", "fault"),
    [
        ("spacing", "fine", "spacing is 'fine'; give a number from 0.1 to 10"),
        ("spacing", "nan", "spacing is 'nan'"),
        ("patch", "100", "patch is '100'; give a multiple of 16 from 32 to 256"),
        ("overlap", "1", "The overlap is 1"),
        ("zero_shot", "perhaps", "zero_shot is 'perhaps'"),
        ("cache_bytes", "-1", "cache_bytes is '-1'"),
    ],
)
def test_options_without_a_meaning_are_refused(option: str, value: str, fault: str) -> None:
    with pytest.raises(ModelError, match=fault):
        create("vista3d", "cpu", weights="nowhere", **{option: value})


def test_the_original_spacing_and_another_one_are_taken(weights: Path) -> None:
    volume = body(Geometry.from_spacing((20, 24, 22), (0.5, 0.5, 0.5)))
    shapes = [
        model(weights, spacing=mm).encode(volume, None, no_progress).grid.shape
        for mm in ("original", "1", "1.5")
    ]
    assert shapes[0] == (22, 24, 20)
    for shape, factor in zip(shapes[1:], (2, 3), strict=True):
        assert np.abs(np.array(shape) - np.array(shapes[0]) / factor).max() <= 1
