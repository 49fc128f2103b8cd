"""The box "Images": a volume for each image of a model of several."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from PySide6.QtWidgets import QCheckBox, QComboBox, QLabel


def use_model_of(desk: Any, channels: tuple[str, ...] | int) -> None:
    """As if the loaded model had said that it takes these images."""
    requests = desk.panel.logic.requests
    requests.model = replace(requests.model, card=replace(requests.model.card, channels=channels))
    desk.panel.refresh()


def fields(desk: Any) -> dict[str, Any]:
    labels = [label.text for label in desk.ui.imagesSection.findChildren(QLabel)]
    return dict(zip(labels, desk.ui.imagesSection.findChildren(QComboBox), strict=True))


def choose(desk: Any, name: str, volume: str) -> None:
    field = fields(desk)[name]
    field.setCurrentIndex(field.findText(volume))
    field.activated.emit(field.currentIndex)
    desk.wait()


def load_second(desk: Any, shape: tuple[int, int, int] = (24, 30, 34)) -> Any:
    import slicer

    voxels = np.random.default_rng(1).normal(0, 10, shape).astype(np.float32)
    return slicer.util.addVolumeFromArray(voxels, np.diag([1.0, 1.0, 1.5, 1.0]), "Second")


def test_a_model_of_one_image_shows_no_box(desk: Any) -> None:
    desk.load()
    assert desk.ui.imagesSection.isHidden() and not fields(desk)
    use_model_of(desk, ("CT", "PET"))
    assert not desk.ui.imagesSection.isHidden() and list(fields(desk)) == ["CT", "PET"]
    use_model_of(desk, 3)
    assert list(fields(desk)) == ["1", "2", "3"]
    use_model_of(desk, 1)
    assert desk.ui.imagesSection.isHidden() and not fields(desk)


def test_each_image_gets_a_volume_of_the_scene(desk: Any) -> None:
    ball, second = desk.load(), load_second(desk)
    use_model_of(desk, ("CT", "PET"))
    assert [fields(desk)["PET"].itemText(n) for n in range(3)] == ["None", "Ball", "Second"]
    choose(desk, "PET", "Second")
    choose(desk, "CT", "Ball")
    assert desk.panel.logic.images.by_name == {"CT": ball, "PET": second}
    assert list(desk.panel.logic.volume.images) == ["CT", "PET"]
    desk.panel.refresh()
    assert fields(desk)["PET"].currentText == "Second"
    choose(desk, "PET", "None")
    assert desk.panel.logic.images.by_name == {"CT": ball}


def test_an_image_on_another_grid_is_explained_and_resampled_on_request(desk: Any) -> None:
    desk.load()
    load_second(desk, (20, 30, 34))
    use_model_of(desk, ("CT", "PET"))
    choose(desk, "CT", "Ball")
    choose(desk, "PET", "Second")
    assert "The image PET is on another grid" in desk.ui.statusLabel.text
    (box,) = desk.ui.imagesSection.findChildren(QCheckBox)
    box.click()
    desk.wait()
    assert list(desk.panel.logic.volume.images) == ["CT", "PET"]
    assert desk.panel.logic.volume.images["PET"].shape == (24, 30, 34)
