"""Options of models: those of each card, and what a page may not set."""

from __future__ import annotations

import pytest

from MedSegFMLib.browser.model_options import option_rows, start_hint, with_option
from MedSegFMLib.errors import PageError
from MedSegFMLib.registry import MODELS, card, path_options


@pytest.mark.parametrize("name", MODELS)
def test_each_option_of_a_card_is_a_row_or_set_at_the_start(name: str) -> None:
    model = card(name)
    shown = {row["name"] for row in option_rows(model, {})}
    hint = start_hint(model)
    assert all((each.name in shown) != (each.name in hint) for each in model.options)
    # No page names a file or another computer.
    assert not shown & path_options(name)
    assert not any(each.is_private for each in model.options if each.name in shown)


def test_options_that_name_files_are_found_by_their_annotation() -> None:
    assert {"tokenizer", "adapter"} <= path_options("medical-sam3")
    assert path_options("randomwalk") == frozenset()


def test_an_option_is_set_and_put_back_to_its_default() -> None:
    ensam = card("ensam")
    chosen = with_option(ensam, {}, "refine", "no")
    assert chosen == {"refine": "no"}
    (row,) = option_rows(ensam, chosen)
    assert (row["value"], row["title"]) == ("no", "Refine borders")
    assert [each["title"] for each in row["choices"]] == ["Default (yes)", "yes", "no"]
    assert with_option(ensam, chosen, "refine", "") == {}


@pytest.mark.parametrize(
    ("model", "name", "value", "said"),
    [
        ("ensam", "weights", "/etc/passwd", "no option"),
        ("ensam", "refine", "perhaps", "cannot be"),
        ("medical-sam3", "tokenizer", "tokens", "set when the server is started"),
        ("nninteractive", "server", "http://127.0.0.1:9", "set when the server is started"),
        ("nnunet", "checkpoint", "../../secret.pth", "cannot be"),
        ("nnunet", "checkpoint", "..\\secret.pth", "cannot be"),
    ],
)
def test_a_page_names_no_file_and_no_other_computer(
    model: str, name: str, value: str, said: str
) -> None:
    with pytest.raises(PageError, match=said):
        with_option(card(model), {}, name, value)
