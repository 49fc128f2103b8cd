"""nnU-Net folders: the answers are nnU-Net's own, and a folder can do no harm."""

from __future__ import annotations

import json
import threading
import warnings
from pathlib import Path
from typing import Any

import nnunet_folders
import numpy as np
import pytest
import torch
from class_labelmaps import labelmap_of
from nnunet_folders import CONFIGURATION, LABELS, REGIONS, write_folder
from sample_volumes import make_blob

from MedSegFMLib import Geometry, Session, Text, Volume, create
from MedSegFMLib.cli import main
from MedSegFMLib.errors import Cancelled, ModelError, VolumeError, WeightsError
from MedSegFMLib.progress import no_progress
from MedSegFMLib.volumes.images import combined
from MedSegFMLib.volumes.region import Region

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture
def volume(directions: np.ndarray) -> Volume:
    geometry = Geometry.from_spacing((12, 22, 24), (0.9, 0.8, 2.1), directions, (5, -6, 70))
    return make_blob(geometry)[0]


def nnunets_own(folder: Path, volume: Volume) -> Any:
    """What nnU-Net's own predictor makes of an array."""
    from nnunetv2.inference.predict_from_raw_data import nnUNetPredictor

    predictor = nnUNetPredictor(device=torch.device("cpu"), allow_tqdm=False)
    folds = sorted(path.name.removeprefix("fold_") for path in folder.glob("fold_*"))
    predictor.initialize_from_trained_model_folder(str(folder), folds)
    properties = {"spacing": list(volume.geometry.spacing_kji_mm)}
    return predictor.predict_single_npy_array(np.stack(volume.arrays), properties)


@pytest.mark.parametrize(
    "plan",
    [
        {},
        {"folds": ("0", "1")},
        {"folds": ("all",)},
        {"transpose": (2, 0, 1)},
        {"labels": {"spleen": 2, "background": 0, "liver": 1, "ignore": 3}},
        {"labels": REGIONS},
        {"labels": REGIONS, "transpose": (1, 0, 2), "folds": ("0", "1")},
    ],
    ids=str,
)
@pytest.mark.parametrize("spacing", [(0.9, 0.8, 2.1), (0.7, 0.7, 6.0)], ids=str)
def test_the_labels_are_those_of_nnunets_own_predictor(
    plan: dict[str, Any], spacing: tuple[float, float, float], tmp_path: Path
) -> None:
    folder = write_folder(tmp_path / "trained", **plan)
    volume = make_blob(Geometry.from_spacing((12, 22, 24), spacing))[0]
    # A border of zeros, which nnU-Net cuts off before it looks.
    volume.array_kji[:, :3] = 0
    expected = nnunets_own(folder, volume)
    labels = plan.get("labels", LABELS)
    names = tuple(n for n in labels if n not in ("background", "ignore"))
    model = create("nnunet", "cpu", weights=folder)
    assert model.classes == names
    drawn = labelmap_of(model, volume)
    numbers = range(1, 1 + len(names)) if labels is REGIONS else [labels[n] for n in names]
    assert len(np.unique(expected)) > 2
    for number, (own, name) in enumerate(zip(numbers, names, strict=True), 1):
        assert np.array_equal(drawn == number, expected == own), name


def mr_images(count: int, spacing: tuple[float, float, float] = (0.9, 0.8, 2.1)) -> Volume:
    geometry = Geometry.from_spacing((12, 22, 24), spacing)
    return combined({f"MR{n}": make_blob(geometry, seed=n)[0] for n in range(count)})


@pytest.mark.parametrize("plan", [{}, {"labels": REGIONS, "folds": ("0", "1")}], ids=str)
@pytest.mark.parametrize("count", [2, 4], ids=str)
def test_several_images_are_labelled_as_by_nnunets_own_predictor(
    count: int, plan: dict[str, Any], tmp_path: Path
) -> None:
    folder = write_folder(tmp_path / "trained", channels=count, **plan)
    volume = mr_images(count)
    expected = nnunets_own(folder, volume)
    model = create("nnunet", "cpu", weights=folder)
    assert model.card.channels == tuple(f"MR{n}" for n in range(count))
    # Given in another order and spelling, and with one that the network does not take.
    given = {name.lower(): volume.image(name) for name in reversed(list(volume.images))}
    other = make_blob(volume.geometry, seed=9)[0]
    drawn = labelmap_of(model, combined({"ct": other, **given}))
    names = [n for n in plan.get("labels", LABELS) if n != "background"]
    assert len(np.unique(expected)) > 1
    for number, name in enumerate(names, 1):
        assert np.array_equal(drawn == number, expected == number), name


def test_each_image_counts(tmp_path: Path) -> None:
    model = create("nnunet", "cpu", weights=write_folder(tmp_path / "trained", channels=2))
    volume = mr_images(2)
    swapped = combined({"MR0": volume.image("MR1"), "MR1": volume.image("MR0")})
    assert not np.array_equal(labelmap_of(model, volume), labelmap_of(model, swapped))


def test_a_volume_without_the_images_of_a_network_is_refused_by_name(tmp_path: Path) -> None:
    model = create("nnunet", "cpu", weights=write_folder(tmp_path / "trained", channels=2))
    alone = mr_images(1)
    with pytest.raises(VolumeError, match=r"nnU-Net takes 2 images .* \(MR0, MR1\)"):
        Session(model, alone)
    with pytest.raises(VolumeError, match="a single image"):
        model.encode(alone, None, no_progress)


def test_a_network_of_one_image_uses_the_primary_one(nnunet_folder: Path) -> None:
    volume = mr_images(2)
    session = Session(
        create("nnunet", "cpu", weights=nnunet_folder),
        combined({"pet": volume.image("MR0"), "ct": volume.image("MR1")}, "ct"),
    )
    sentence = "nnU-Net takes one image of a volume and uses ct, not pet"
    assert session.unused_images.startswith(sentence)
    session.add(Text("liver"))
    mask = session.predict().mask.array_kji
    assert np.array_equal(mask > 0, nnunets_own(nnunet_folder, volume.image("MR1")) == 1)


def test_a_region_alone_holds_all_that_lies_in_it(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "trained", REGIONS)
    volume = make_blob(Geometry.from_spacing((12, 22, 24), (0.9, 0.8, 2.1)))[0]
    expected = nnunets_own(folder, volume)
    model = create("nnunet", "cpu", weights=folder)
    for name, labels in (("whole tumour", (1, 2, 3)), ("core", (2, 3)), ("enhancing", (3,))):
        session = Session(model, volume)
        session.add(Text(name))
        mask = session.predict().mask.array_kji
        assert np.array_equal(mask > 0, np.isin(expected, labels)), name


def test_two_classes_in_one_object_are_their_union(nnunet_folder: Path) -> None:
    volume = make_blob(Geometry.from_spacing((12, 22, 24), (0.9, 0.8, 2.1)))[0]
    session = Session(create("nnunet", "cpu", weights=nnunet_folder), volume)
    session.add(Text("liver"))
    session.add(Text("Spleen"), 1)
    mask = session.predict().mask.array_kji
    assert np.array_equal(mask > 0, nnunets_own(nnunet_folder, volume) > 0)


@pytest.mark.parametrize("reader", ["NibabelIOWithReorient", "SimpleITKIOWithReorient"])
def test_a_network_of_turned_arrays_finds_the_same_anatomy_however_stored(
    reader: str, volume: Volume, tmp_path: Path
) -> None:
    folder = write_folder(tmp_path / "trained", reader=reader)
    turned = volume.reoriented("RAS")
    expected = turned.with_array(nnunets_own(folder, turned)).reoriented(volume.geometry.axis_codes)
    found = labelmap_of(create("nnunet", "cpu", weights=folder), volume)
    assert np.array_equal(found, expected.array_kji)


def test_the_network_looks_once_for_all_classes(
    nnunet_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from MedSegFMLib.models.nnunet.torch_windows import WindowedPredictor

    looks = []
    scores = WindowedPredictor.scores
    monkeypatch.setattr(
        WindowedPredictor, "scores", lambda *given: looks.append(1) or scores(*given)
    )
    volume = make_blob(Geometry.from_spacing((12, 22, 24), (0.9, 0.8, 2.1)))[0]
    labelmap_of(create("nnunet", "cpu", weights=nnunet_folder), volume)
    assert looks == [1]


def test_part_of_a_volume_is_drawn_where_it_lies(nnunet_folder: Path) -> None:
    volume = make_blob(Geometry.from_spacing((14, 26, 24), (0.9, 0.8, 2.1)))[0]
    model = create("nnunet", "cpu", weights=nnunet_folder)
    region = Region((2, 3, 0), (14, 25, 24))
    encoding = model.encode(volume, region, no_progress)
    mask = model.predict(encoding, [Text("liver")], None, no_progress).mask.array_kji
    expected = np.zeros_like(mask)
    expected[region.slices] = nnunets_own(nnunet_folder, volume.crop(region)) == 1
    assert np.array_equal(mask, expected) and expected.any()


def test_mirror_images_and_overlap_can_be_left_out(nnunet_folder: Path) -> None:
    volume = make_blob(Geometry.from_spacing((12, 40, 40), (0.9, 0.8, 2.1)))[0]
    counts = []
    for options in ({}, {"mirroring": "false"}, {"overlap": "0"}):
        told: list[float] = []
        model = create("nnunet", "cpu", weights=nnunet_folder, **options)
        model.encode(volume, None, lambda fraction, phrase, told=told: told.append(fraction))
        counts.append(len(told))
    assert counts[0] > 4 * counts[1] and counts[0] > 2 * counts[2]


def test_stopping_leaves_no_thread_and_no_trace(nnunet_folder: Path) -> None:
    volume = make_blob(Geometry.from_spacing((12, 40, 40), (0.9, 0.8, 2.1)))[0]
    model = create("nnunet", "cpu", weights=nnunet_folder)
    before = labelmap_of(model, volume)
    threads, torchs = threading.active_count(), torch.get_num_threads()

    def stop(fraction: float, phrase: str) -> None:
        if fraction > 0.3:
            raise Cancelled("stopped")

    with pytest.raises(Cancelled):
        model.encode(volume, None, stop)
    assert threading.active_count() == threads and torch.get_num_threads() == torchs
    assert np.array_equal(labelmap_of(model, volume), before)


def test_nothing_is_printed_or_warned_of(
    nnunet_folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    volume = make_blob(Geometry.from_spacing((12, 22, 24), (0.9, 0.8, 2.1)))[0]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        labelmap_of(create("nnunet", "cpu", weights=nnunet_folder), volume)
    assert capfd.readouterr() == ("", "")


class Harm:
    """Unpickled, it would write a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return (Path.write_text, (self.path, "done"))


def rewritten(folder: Path, name: str, **changes: Any) -> Path:
    told = json.loads((folder / name).read_text(encoding="utf-8"))
    (folder / name).write_text(json.dumps({**told, **changes}))
    return folder


def saved(folder: Path, held: Any) -> Path:
    torch.save(held, folder / "fold_0" / "checkpoint_final.pth")
    return folder


def test_a_checkpoint_that_would_run_something_is_never_unpickled(tmp_path: Path) -> None:
    target = tmp_path / "harm"
    held = nnunet_folders.checkpoint(3, 0, harm=Harm(target))
    folder = saved(write_folder(tmp_path / "trained"), held)
    with pytest.raises(WeightsError, match="more than tensors, which is never loaded"):
        create("nnunet", "cpu", weights=folder)
    assert not target.exists()


def test_a_path_through_torchs_own_modules_to_other_code_is_refused(tmp_path: Path) -> None:
    folder, target = write_folder(tmp_path / "trained"), tmp_path / "harm"
    plans = nnunet_folders.plans()
    arguments = plans["configurations"][CONFIGURATION]["architecture"]["arch_kwargs"]
    arguments["nonlin"] = "torch.nn.functional.torch.os.mkdir"
    arguments["nonlin_kwargs"] = {"path": str(target)}
    rewritten(folder, "plans.json", **plans)
    with pytest.raises(
        WeightsError, match=r"os\.mkdir for import, which is not a network or layer"
    ):
        create("nnunet", "cpu", weights=folder)
    assert not target.exists()


@pytest.mark.parametrize(
    ("place", "value", "words"),
    [
        ("arch_kwargs", {"n_stages": 10**6}, r"n_stages of PlainConvUNet is 1000000.* 1 to 16"),
        ("arch_kwargs", {"n_conv_per_stage": [10**6, 1]}, "n_conv_per_stage .* from 1 to 32"),
        ("arch_kwargs", {"features_per_stage": [10**9] * 2}, "features_per_stage .* 1 to 8192"),
        ("arch_kwargs", {"kernel_sizes": [[99] * 3] * 2}, r"kernel_sizes .* from 1 to 31"),
        ("arch_kwargs", {"norm_op_kwargs": {"device": "x"}}, "norm_op_kwargs .* settings of eps"),
        ("arch_kwargs", {"spectral": True}, "has the setting 'spectral', and the known ones are"),
        ("configuration", {"patch_size": [4096] * 3}, r"a window \(patch_size\) .* at most"),
        ("configuration", {"spacing": [1e-9] * 3}, "spacing .* from 0.001 to 1000"),
        ("configuration", {"preprocessor_name": "os"}, "must be one of DefaultPreprocessor"),
        ("configuration", {"resampling_fn_data": "os"}, "resample_data_or_seg_to_shape"),
        ("configuration", {"normalization_schemes": ["ABC"]}, "CTNormalization"),
        ("configuration", {"inherits_from": CONFIGURATION}, "inherits from .* more than 15"),
        ("plans", {"label_manager": "os"}, "label_manager of the plans is 'os'.*LabelManager"),
        ("plans", {"transpose_forward": [0, 0, 0]}, "0, 1 and 2 in some order"),
    ],
    ids=str,
)
def test_plans_beyond_a_network_are_refused_before_it_is_built(
    place: str, value: dict[str, Any], words: str, tmp_path: Path
) -> None:
    folder = write_folder(tmp_path / "trained")
    plans = nnunet_folders.plans()
    configuration = plans["configurations"][CONFIGURATION]
    architecture = configuration["architecture"]["arch_kwargs"]
    places = {"arch_kwargs": architecture, "configuration": configuration, "plans": plans}
    places[place].update(value)
    (folder / "plans.json").write_text(json.dumps(plans))
    with pytest.raises(WeightsError, match=words) as caught:
        create("nnunet", "cpu", weights=folder)
    assert str(caught.value).endswith("give a folder that nnU-Net version 2 wrote.")


def test_plans_may_inherit_and_may_be_of_an_earlier_version(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "trained")
    plans = nnunet_folders.plans()
    good = plans["configurations"][CONFIGURATION]
    earlier = {
        "UNet_class_name": "PlainConvUNet",
        "UNet_base_num_features": 4,
        "unet_max_num_features": 8,
        "n_conv_per_stage_encoder": [1, 1],
        "n_conv_per_stage_decoder": [1],
        "num_pool_per_axis": [0, 1, 1],
        "pool_op_kernel_sizes": [[1, 1, 1], [1, 2, 2]],
        "conv_kernel_sizes": [[3, 3, 3], [3, 3, 3]],
    }
    base = {key: value for key, value in good.items() if key != "architecture"}
    plans["configurations"] = {
        "base": base,
        CONFIGURATION: {**earlier, "inherits_from": "base", "batch_size": 3},
    }
    volume = make_blob(Geometry.from_spacing((12, 22, 24), (0.9, 0.8, 2.1)))[0]
    expected = labelmap_of(create("nnunet", "cpu", weights=folder), volume)
    rewritten(folder, "plans.json", **plans)
    assert np.array_equal(labelmap_of(create("nnunet", "cpu", weights=folder), volume), expected)


def test_a_spacing_too_fine_for_the_memory_is_refused_before_resampling(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "trained")
    plans = nnunet_folders.plans()
    plans["configurations"][CONFIGURATION]["spacing"] = [0.001] * 3
    rewritten(folder, "plans.json", **plans)
    volume = make_blob(Geometry.from_spacing((12, 22, 24), (0.9, 0.8, 2.1)))[0]
    with pytest.raises(VolumeError, match=r"voxels in the network's spacing of \(0\.001"):
        create("nnunet", "cpu", weights=folder).encode(volume, None, no_progress)


@pytest.mark.parametrize("key", ["network_class_name", "conv_op"])
def test_plans_that_name_other_code_are_refused(key: str, tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "trained")
    plans = nnunet_folders.plans()
    architecture = plans["configurations"][CONFIGURATION]["architecture"]
    place = architecture if key in architecture else architecture["arch_kwargs"]
    place[key] = "subprocess.Popen"
    rewritten(folder, "plans.json", **plans)
    with pytest.raises(WeightsError, match=r"names subprocess\.Popen for import"):
        create("nnunet", "cpu", weights=folder)


def broken(folder: Path, fault: str) -> Path:
    """A folder with one thing wrong."""
    checkpoint = folder / "fold_0" / "checkpoint_final.pth"
    plans = nnunet_folders.plans()
    match fault:
        case "no plans":
            (folder / "plans.json").unlink()
        case "no checkpoint":
            checkpoint.unlink()
        case "truncated":
            checkpoint.write_bytes(checkpoint.read_bytes()[:-3000])
        case "plans cut off":
            (folder / "plans.json").write_text("{")
        case "two images":
            rewritten(folder, "dataset.json", channel_names={"0": "T1", "1": "T2"})
        case "images numbered otherwise":
            rewritten(folder, "dataset.json", channel_names={"1": "T1"})
        case "another network":
            saved(folder, nnunet_folders.checkpoint(5, 0))
        case "no trainer known":
            saved(folder, nnunet_folders.checkpoint(3, 0, trainer_name="nnUNetTrainerNobody"))
        case "weights alone":
            saved(folder, nnunet_folders.checkpoint(3, 0)["network_weights"])
        case "photographs":
            rewritten(folder, "plans.json", image_reader_writer="NaturalImage2DIO")
        case "cascade":
            plans["configurations"][CONFIGURATION]["previous_stage"] = "3d_lowres"
            rewritten(folder, "plans.json", **plans)
        case "layer unknown":
            arguments = plans["configurations"][CONFIGURATION]["architecture"]["arch_kwargs"]
            arguments["conv_op"] = "torch.nn.Conv9d"
            rewritten(folder, "plans.json", **plans)
        case "names twice":
            rewritten(folder, "dataset.json", labels={"background": 0, "liver": 1, "Liver": 2})
    return folder


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("no plans", r"has no plans\.json; give the folder that nnU-Net's training wrote"),
        ("no checkpoint", r"has no fold_\*/checkpoint_final\.pth"),
        ("truncated", "truncated or damaged"),
        ("plans cut off", r"plans\.json is damaged or not JSON"),
        ("two images", r"normalization_schemes has 1 values for 2 images .* \(T1, T2\)"),
        ("images numbered otherwise", "must count from 0"),
        ("another network", "is not for the network its plans describe"),
        ("no trainer known", "cannot be built .*nnUNetTrainerNobody"),
        ("weights alone", "lacks an entry that nnU-Net writes"),
        ("photographs", "NaturalImage2DIO"),
        ("cascade", "second stage of a cascade"),
        ("layer unknown", "names torch.nn.Conv9d"),
        ("names twice", "calls two classes 'liver'"),
    ],
)
def test_a_broken_folder_is_told_in_a_sentence(fault: str, words: str, tmp_path: Path) -> None:
    folder = broken(write_folder(tmp_path / "trained"), fault)
    with pytest.raises(WeightsError, match=words) as caught:
        create("nnunet", "cpu", weights=folder)
    assert str(caught.value).endswith(".") and "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"folds": "0,7"}, r"no fold 7; it has 0, 1"),
        ({"overlap": "1"}, "The overlap is 1"),
        ({"mirroring": "perhaps"}, "mirroring is 'perhaps'"),
    ],
)
def test_options_that_cannot_be_are_refused(
    options: dict[str, str], words: str, tmp_path: Path
) -> None:
    folder = write_folder(tmp_path / "trained", folds=("0", "1"))
    with pytest.raises(ModelError, match=words):
        create("nnunet", "cpu", weights=folder, **options)


def test_a_volume_thinner_than_the_networks_voxels_is_refused(nnunet_folder: Path) -> None:
    volume = make_blob(Geometry.from_spacing((1, 22, 24), (0.9, 0.8, 0.7)))[0]
    with pytest.raises(VolumeError, match=r"0\.7 mm wide on one side"):
        create("nnunet", "cpu", weights=nnunet_folder).encode(volume, None, no_progress)


def test_a_user_imports_a_folder_and_segments_every_class(
    nnunet_folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("MEDSEGFM_WEIGHTS", str(tmp_path / "store"))
    volume = make_blob(Geometry.from_spacing((12, 22, 24), (0.9, 0.8, 2.1)))[0]
    volume.write(tmp_path / "v.nii.gz")
    assert main(["weights", "import", "nnunet", str(nnunet_folder)]) == 0
    words = ["segment", str(tmp_path / "v.nii.gz"), "--model", "nnunet", "--device", "cpu"]
    assert main([*words, "--out", str(tmp_path / "s.nii.gz")]) == 0
    found = Volume.read(tmp_path / "s.nii.gz")
    assert np.array_equal(found.array_kji, nnunets_own(nnunet_folder, volume))
    assert "spleen" in capsys.readouterr().out
    # Changed behind the store's back, it is not used any more.
    (tmp_path / "store" / "nnunet" / "plans.json").write_text("{}")
    assert main([*words, "--out", str(tmp_path / "t.nii.gz")]) == 2
    assert "modified or damaged" in capsys.readouterr().err
