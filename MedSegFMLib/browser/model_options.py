"""The options of a model as the page shows them, and which of them a page may set."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..errors import PageError
from ..mrml.words.model_messages import default_choice, default_value
from ..mrml.words.translation import tr as _
from ..registry import path_options
from ..segmenter import ModelCard, ModelOption

LONGEST = 500


def option_rows(card: ModelCard, values: Mapping[str, Any]) -> list[dict[str, Any]]:
    """A row for each option of a model that a page may set.

    Args:
        card: The model's card.
        values: The options that are set.
    """
    return [
        {
            "name": option.name,
            "title": _(option.title),
            "description": _(option.description),
            "value": str(values.get(option.name, "")),
            "default": default_value(option),
            "choices": [
                {"value": value, "title": value or default_choice(option)}
                for value in ("", *option.choices)
            ]
            if option.choices
            else [],
        }
        for option in card.options
        if not _is_set_at_start(card, option)
    ]


def start_hint(card: ModelCard) -> str:
    """A sentence on the options that are set when the server is started; "" if there are none."""
    names = [option.name for option in card.options if _is_set_at_start(card, option)]
    if not names:
        return ""
    return _("Set when medsegfm browser is started, with --option: {names}.").format(
        names=", ".join(names)
    )


def with_option(
    card: ModelCard, values: Mapping[str, Any], name: str, value: str
) -> dict[str, Any]:
    """The options of a model after a page has set one; "" for its default.

    Args:
        card: The model's card.
        values: The options that are set.
        name: The option.
        value: Its value.

    Raises:
        PageError: If the model has no such option, a page may not set it, or not to this.
    """
    option = next((each for each in card.options if each.name == name), None)
    if option is None:
        raise PageError(f"{card.title} has no option {name[:40]!a}; reload the page.")
    if _is_set_at_start(card, option):
        raise PageError(
            f"{name} is set when the server is started; start medsegfm browser --option "
            f"{name}=VALUE."
        )
    # A file beside the weights may be named, and none elsewhere.
    if (option.choices and value not in ("", *option.choices)) or "/" in value or "\\" in value:
        raise PageError(f"{name} cannot be {value[:40]!a}; choose another value.")
    others = {n: v for n, v in values.items() if n != name}
    return {**others, name: value} if value else others


def _is_set_at_start(card: ModelCard, option: ModelOption) -> bool:
    """Whether an option names files or another computer, which pages have no say about."""
    return option.is_private or option.name in path_options(card.name)
