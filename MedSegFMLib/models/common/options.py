"""Options that several models have, and their values, which the command line gives as text."""

from __future__ import annotations

from ...errors import ModelError
from ...segmenter import ModelOption

CACHE_OPTION = ModelOption(
    "cache_bytes", "Cache", "The most bytes of slices' features to keep, so that clicks are quick"
)
BASE_OPTION = ModelOption(
    "base",
    "Base",
    "A file with the SAM that the weights were trained on",
    (),
    "the imported one",
    at_import="file",
)


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


def parse_whole(name: str, text: int | str) -> int:
    """The value of an option that is a whole number of 0 or more, given as text or not.

    Raises:
        ModelError: If it is anything else.
    """
    if not (str(text).isascii() and str(text).isdigit()):
        raise ModelError(f"{name} is '{text}'; give a whole number of 0 or more.")
    return int(text)
