"""Windows by name, level and width, and which volumes are CT."""

from __future__ import annotations

import numpy as np
import pytest

from MedSegFMLib import Geometry, Volume
from MedSegFMLib.drawing.display_window import display_window, display_windows
from MedSegFMLib.drawing.outlines import Outline
from MedSegFMLib.errors import VolumeError
from MedSegFMLib.volumes.intensities import is_ct, looks_like_ct
from MedSegFMLib.volumes.region import Region
from MedSegFMLib.volumes.windows import Window, named_window, parse_window, window_names

RNG = np.random.default_rng(3)


def ct(dtype: type = np.float32) -> np.ndarray:
    """A body of soft tissue with two lungs in noisy air (K, J, I)."""
    array = RNG.normal(-1000, 20, (12, 60, 80))
    array[:, 8:52, 6:74] = RNG.normal(40, 15, (12, 44, 68))
    array[:, 14:46, 10:34] = array[:, 14:46, 46:70] = RNG.normal(-820, 40, (12, 32, 24))
    return array.round().astype(dtype) if dtype is np.int16 else array.astype(dtype)


def volume_of(array: np.ndarray, modality: str = "") -> Volume:
    return Volume(array, Geometry.from_spacing(array.shape, (1, 1, 3)), modality)


@pytest.mark.parametrize("dtype", [np.int16, np.int32, np.float32, np.float64])
@pytest.mark.parametrize("padding", [None, -2000, -3024])
def test_ct_is_recognised_by_its_values(dtype: type, padding: int | None) -> None:
    array = ct(np.int16).astype(dtype)
    if padding is not None:
        array[:, :8] = padding
    assert looks_like_ct(array) and is_ct(volume_of(array))
    assert not is_ct(volume_of(array, "MR")), "what a file states is not guessed"


def test_other_images_with_low_values_are_not_mistaken_for_ct() -> None:
    shape = (20, 50, 60)
    others = {
        "attenuation per mm": (ct() + 1000) * 2e-5,
        "thousandths of Hounsfield units": ct() * 1e-3,
        "phase": RNG.integers(-4096, 4096, shape).astype(np.int16),
        "phase of one turn": RNG.uniform(-1000, 1000, shape),
        "field map": RNG.normal(0, 400, shape),
        "distances": np.linspace(-900, 900, 60000).reshape(shape),
        "unsigned": (ct(np.int16) + 1024).astype(np.uint16),
        "difference": RNG.laplace(0, 250, shape).astype(np.int16),
        "z-scores": RNG.normal(0, 1, shape),
    }
    assert {name for name, array in others.items() if looks_like_ct(np.asarray(array))} == set()


def test_a_window_has_a_name_or_a_level_and_a_width() -> None:
    assert window_names() == ("abdomen", "lung", "bone", "brain", "liver", "mediastinum", "auto")
    assert (named_window("abdomen").low, named_window("abdomen").high) == (-160, 240)
    assert parse_window(["Lung"]) == Window(-1350, 150, "lung")
    assert parse_window(["40", "400"]) == parse_window("40,400") == Window(-160, 240)
    assert parse_window("auto") is None
    assert Window(-160, 240).text == "level 40, width 400"
    assert Window(0.0, 0.25).text == "level 0.125, width 0.25"
    assert Window(0, 15750).text == "level 7875, width 15750"
    for words in (["lungs"], ["40"], ["40", "x"], ["40", "-1"], ["nan", "3"], []):
        with pytest.raises(VolumeError, match=r"window"):
            parse_window(words)


def test_ct_is_shown_in_the_window_of_what_is_in_it() -> None:
    array = ct()
    volume = volume_of(array)
    whole = Region.whole(array.shape)
    assert [w.name for w in display_windows(volume, whole)] == ["mediastinum", "lung"]
    tissue = volume_of(np.where(array > -900, 50, array))
    assert [w.name for w in display_windows(tissue, whole)] == ["abdomen"]
    skull = np.full((12, 60, 80), -1000.0)
    skull[:, 5:55, 5:75] = 900
    skull[:, 8:52, 8:72] = RNG.normal(35, 8, (12, 44, 64))
    assert display_window(volume_of(skull), whole).name == "brain"
    given = Window(0, 10)
    assert display_windows(volume, whole, given=given) == [given]


@pytest.mark.parametrize(
    ("value", "around", "name"), [(40, -820, "lung"), (700, 40, "bone"), (60, 40, "abdomen")]
)
def test_an_object_is_shown_in_the_window_of_its_surroundings(
    value: float, around: float, name: str
) -> None:
    array = np.full((12, 60, 80), -1000.0)
    array[:, 5:55, 5:75] = 40
    array[:, 10:50, 10:70] = around
    mask = np.zeros(array.shape, bool)
    mask[4:8, 25:35, 30:40] = True
    array[mask] = value
    outline = Outline.from_mask("object", mask, "#E69F00")
    assert display_window(volume_of(array, "CT"), Region.whole(array.shape), outline).name == name


def test_a_mostly_empty_picture_is_shown_by_what_is_not_empty() -> None:
    array = np.zeros((10, 50, 50))
    array[5, 20:24, 20:24] = 200
    window = display_window(volume_of(array), Region.whole(array.shape))
    assert (window.low, window.high) == (0, 200)
    flat = display_window(volume_of(np.full((2, 3, 4), 7.0)), Region.whole((2, 3, 4)))
    assert flat.low < 7 < flat.high
