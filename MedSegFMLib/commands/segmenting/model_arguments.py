"""The arguments that choose a model, and the options of its `create`."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from ...errors import ModelError
from ...registry import DEFAULT_MODEL, card, check_creatable
from ...system.device import DEVICE_HELP
from ..arguments.picture import chosen_window

# As options they would bypass the checks of these arguments.
_OWN_ARGUMENTS = ("device", "weights")


def add_model_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments for the model, its device and its weights."""
    parser.add_argument(
        "--model", default=DEFAULT_MODEL, help="see medsegfm models (default: %(default)s)"
    )
    parser.add_argument("--device", default="auto", help=DEVICE_HELP)
    parser.add_argument(
        "--weights",
        metavar="PATH",
        help="file or folder of weights to use instead of the installed ones",
    )
    add_option_argument(parser)
    parser.add_argument(
        "--no-cache",
        action="store_true",
        help="neither use nor store encoded regions on disk (default: up to 2 GB of them)",
    )


def add_option_argument(parser: argparse.ArgumentParser) -> None:
    """Add the argument for the options of the model's `create`."""
    parser.add_argument(
        "--option",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="option of the model, such as size=1024 or planes=axial,coronal of sam; can be "
        "repeated",
    )


@contextmanager
def stored_features(arguments: argparse.Namespace) -> Iterator[None]:
    """Within the block, and in processes started there, use the features stored on disk."""
    from ...system import feature_store
    from ...weights import store

    if arguments.no_cache:
        feature_store.switch_off()
    feature_store.use(store.feature_store())
    try:
        yield
    finally:
        feature_store.use(None)


def model_options(arguments: argparse.Namespace) -> dict[str, str]:
    """The options of `create` besides model and device.

    Raises:
        ModelError: an option has no value, or has a separate argument.
    """
    options = {"weights": arguments.weights} if arguments.weights else {}
    return options | read_options(arguments.option)


def read_options(texts: Sequence[str]) -> dict[str, str]:
    """The options that NAME=VALUE texts set.

    Raises:
        ModelError: one has no value, or has a separate argument.
    """
    options = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not (name and equals and value):
            raise ModelError(f"--option {text} is not NAME=VALUE; write it like size=1024.")
        if name in _OWN_ARGUMENTS:
            raise ModelError(f"--option {text} has a separate argument; use --{name} {value}.")
        options[name] = value
    return options


def check_model(arguments: argparse.Namespace) -> None:
    """Check that a model can be loaded, before a volume is read.

    Raises:
        ModelError: the model or an option is unknown, or a package is missing.
        WeightsError: its weights are not installed.
    """
    from ...weights import store

    options = model_options(arguments)
    check_creatable(arguments.model, options)
    needed = card(arguments.model, options).weights
    if needed is not None and not arguments.weights:
        store.find(needed)


def with_window(options: dict[str, str], arguments: argparse.Namespace) -> dict[str, str]:
    """The options with the window of the pictures for a model that looks through one, too."""
    takes = any(option.name == "window" for option in card(arguments.model).options)
    if not takes or "window" in options or chosen_window(arguments) is None:
        return options
    return {**options, "window": ",".join(arguments.window)}
