"""The box "Options": made from the cards of the models."""

from __future__ import annotations

from typing import Any

from host.panel_driver import Desk
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QComboBox, QLabel, QLineEdit

from MedSegFMLib.registry import MODELS, card, create, resolve_name


def choose(desk: Desk, model: str) -> None:
    desk.panel.parameters.model = type(desk.panel.parameters.model)[model]
    desk.wait()


def rows(desk: Desk) -> list[str]:
    return [label.text for label in desk.ui.optionsSection.findChildren(QLabel)]


def test_each_option_of_a_card_is_one_of_the_model(desk: Any) -> None:
    from importlib import import_module
    from inspect import signature

    for name in MODELS:
        taken = signature(import_module(MODELS[resolve_name(name)]).create).parameters
        for option in card(name).options:
            assert option.name in taken, (name, option.name)
            assert option.title and option.description
    assert create("ensam", device="cpu", refine="no").card.name == "ensam"


def test_the_box_has_a_row_for_each_option_of_the_chosen_model(desk: Any) -> None:
    desk.load()
    choose(desk, "nnunet")
    assert rows(desk) == [option.title for option in card("nnunet").options]
    assert not desk.ui.optionsSection.isHidden()
    choose(desk, "randomwalk")
    assert rows(desk) == [] and desk.ui.optionsSection.isHidden()


def test_an_option_goes_to_the_model_and_is_kept_with_the_scene(desk: Any) -> None:
    desk.load()
    (field,) = desk.ui.optionsSection.findChildren(QComboBox)
    field.setCurrentIndex(field.findData("no"))
    field.activated.emit(field.currentIndex)
    desk.wait()
    assert desk.panel.logic.options == {"refine": "no"}
    desk.box_the_ball()
    assert desk.mask().any() and desk.ui.statusLabel.text.startswith("Done.")
    choose(desk, "randomwalk")
    assert desk.panel.logic.options == {} and desk.mask().any()
    choose(desk, "ensam")
    assert desk.panel.logic.options == {"refine": "no"}
    (field,) = desk.ui.optionsSection.findChildren(QComboBox)
    assert field.currentData == "no"


def test_the_published_protocol_of_medical_sam3_is_a_choice_that_takes_words_alone(
    desk: Any,
) -> None:
    desk.load()
    choose(desk, "medical-sam3")
    assert "Protocol" in rows(desk) and "box" in desk.panel.logic.card.prompts
    boxes = desk.ui.optionsSection.findChildren(QComboBox)
    (field,) = [box for box in boxes if box.findData("paper") >= 0]
    field.setCurrentIndex(field.findData("paper"))
    field.activated.emit(field.currentIndex)
    desk.wait()
    assert desk.panel.logic.options == {"protocol": "paper"}
    # A click decides between the places where the words were found.
    assert desk.panel.logic.card.prompts == ("text", "point")


def test_an_option_that_the_model_refuses_is_one_sentence(desk: Any) -> None:
    desk.load()
    desk.panel.parameters.modelOptions = '{"ensam": {"refine": "perhaps"}}'
    desk.draw_box((8, 6, 6), (26, 24, 30))
    desk.wait(lambda: "refine is 'perhaps'" in desk.ui.statusLabel.text)


def test_text_fields_show_the_default(desk: Any) -> None:
    desk.load()
    choose(desk, "nnunet")
    fields = desk.ui.optionsSection.findChildren(QLineEdit)
    defaults = ["all", "0.5", "checkpoint_final.pth"]
    assert [field.placeholderText for field in fields] == defaults


def test_damaged_options_in_a_scene_count_as_none(desk: Any) -> None:
    desk.load()
    for text in ("{", "[]", '{"ensam": 3}', '{"ensam": {"gone": "1"}}'):
        desk.panel.parameters.modelOptions = text
        desk.wait()
        assert desk.panel.logic.options == {}


def test_a_server_is_the_users_own_and_not_the_scenes(desk: Any) -> None:
    desk.load()
    choose(desk, "nninteractive")
    assert not desk.panel.models.can_run and desk.panel.models.card.weights is not None
    server, key, _box = desk.ui.optionsSection.findChildren(QLineEdit)
    assert key.echoMode == QLineEdit.EchoMode.Password
    for field, text in ((server, "http://127.0.0.1:9"), (key, "secret")):
        field.text = text
        field.editingFinished.emit()
        desk.wait()
    # Nothing of this computer is needed any more.
    assert desk.panel.logic.options == {"server": "http://127.0.0.1:9", "key": "secret"}
    assert desk.panel.models.can_run and not desk.ui.importButton.visible
    assert desk.panel.models.card.weights is None
    stored = desk.panel.parameters.modelOptions
    assert "127" not in stored and "secret" not in stored
    # In a comparison it is the user's own too.
    listed = desk.ui.compareModels
    texts = [listed.item(n).data(Qt.ItemDataRole.UserRole) for n in range(listed.count)]
    assert "nninteractive?server=*" in texts
    # A scene of somebody else's names no server.
    server.text = ""
    server.editingFinished.emit()
    desk.panel.parameters.modelOptions = '{"nninteractive": {"server": "http://evil", "box": "2"}}'
    desk.wait()
    assert desk.panel.logic.options == {"key": "secret", "box": "2"}
    key.text = ""
    key.editingFinished.emit()
