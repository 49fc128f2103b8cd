"""A model, its weights and its options as one text, for evaluations, comparisons and scenes."""

from __future__ import annotations

from importlib import import_module
from inspect import signature
from pathlib import Path

import pytest

from MedSegFMLib.errors import ModelError, WeightsError
from MedSegFMLib.model_choice import choice_text, read_choice, split_choices
from MedSegFMLib.registry import MODELS, card


def test_options_are_parsed_and_their_order_does_not_matter() -> None:
    choice = read_choice("sam?size=1024&planes=axial")
    assert (choice.name, choice.weights) == ("sam", None)
    assert choice.all_options == {"size": "1024", "planes": "axial"}
    assert choice.text == "sam?planes=axial&size=1024" == read_choice(choice.text).text
    assert choice.title == f"{choice.card.title} (planes=axial, size=1024)"


def test_a_model_alone_is_its_name() -> None:
    choice = read_choice("ensam")
    assert (choice.text, choice.name, choice.all_options) == ("ensam", "ensam", {})
    assert choice.title == choice.card.title
    # An earlier name stays in the text, with which results are continued.
    earlier = read_choice("graphcut")
    assert (earlier.text, earlier.name) == ("graphcut", "randomwalk")


@pytest.mark.parametrize("name", ["w.pt", "w?1.pt", "w?1/v.pt", "a b, c=d.pt"])
def test_weights_and_options_stand_together(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    path.touch()
    for options, given in (("", {}), ("?size=512", {"size": "512"})):
        choice = read_choice(f"sam={path}{options}")
        assert choice.weights == path and choice.options == given
        assert choice.all_options == {"weights": str(path), **given}
        assert read_choice(choice.text) == choice
        assert choice_text("sam", choice.all_options) == choice.text


def test_every_value_comes_back() -> None:
    values = {"classes": "liver, left kidney", "base": "a&b=c?d%26.pt", "patch": "160"}
    choice = read_choice(choice_text("sam3d", values))
    assert choice.options == values
    assert read_choice(choice.text).text == choice.text


def test_a_list_is_divided_where_a_model_begins() -> None:
    assert split_choices("sam?size=1024&planes=axial,ensam") == [
        "sam?size=1024&planes=axial",
        "ensam",
    ]
    text = "sam?planes=axial,coronal&size=512,graphcut, ellipsoid,sam=W,ellipsoid"
    assert split_choices(text) == [
        "sam?planes=axial,coronal&size=512",
        "graphcut",
        "ellipsoid",
        "sam=W",
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("unet?size=1", "no model 'unet'"),
        ("sam?colour=red", "no option 'colour'; its options are"),
        ("sam?size", "write it like sam\\?size=1024"),
        ("sam?", "write it like"),
        ("sam?size=", "not name=value"),
        ("sam?size=1&size=2", "the option size twice"),
        ("sam?size=1&device=cpu", "give it with --device"),
        ("sam?weights=x&size=1", "as NAME=WEIGHTS"),
        ("ellipsoid=x?seed=1", "takes no weights|no option 'seed'"),
    ],
)
def test_what_does_not_exist_is_refused_at_once(text: str, said: str) -> None:
    with pytest.raises(ModelError, match=said):
        read_choice(text)


def test_weights_that_do_not_exist_are_refused() -> None:
    with pytest.raises(WeightsError, match="do not exist"):
        read_choice("sam=nowhere.pt?size=512")


@pytest.mark.parametrize("name", MODELS)
def test_every_option_of_a_model_is_on_its_card(name: str) -> None:
    taken = signature(import_module(MODELS[name]).create).parameters
    listed = [option.name for option in card(name).options]
    assert sorted(listed) == sorted(set(taken) - {"device", "weights"})
    values = {option: "1" for option in listed}
    assert read_choice(choice_text(name, values)).options.keys() == (
        values.keys() - {option.name for option in card(name).options if option.is_secret}
    )


def test_private_values_are_in_no_text_and_go_to_the_model() -> None:
    choice = read_choice("nninteractive?server=http://gpu:1527&key=secret&box=2")
    assert choice.text == "nninteractive?box=2&server=*" == read_choice(choice.text).text
    assert "gpu" not in choice.title and "secret" not in choice.title
    assert choice.all_options == {"server": "http://gpu:1527", "key": "secret", "box": "2"}
    assert choice.card.weights is None


def test_private_values_of_a_text_are_the_users_own() -> None:
    choice = read_choice("nninteractive?server=*")
    with pytest.raises(ModelError, match=r"The server of 'nninteractive.*' is its user's own"):
        choice.create("cpu")
    own = choice.with_own({"server": "http://mine:1", "key": "k"})
    assert own.all_options == {"server": "http://mine:1", "key": "k"}
    here = read_choice("nninteractive?box=2").with_own({"server": "http://mine:1", "key": "k"})
    assert here.all_options == {"box": "2"}, "a text without a server is for this computer"
