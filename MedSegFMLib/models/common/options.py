"""Values of models' options, which the command line gives as text."""

from __future__ import annotations

from ...errors import ModelError


def parse_yes_no(name: str, text: bool | str) -> bool:
    """The value of a Boolean option, given as text or not.

    Raises:
        ModelError: If it is neither true nor false.
    """
    values = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
    value = values.get(str(text).lower())
    if value is None:
        raise ModelError(f"{name} is '{text}'; give true or false.")
    return value
