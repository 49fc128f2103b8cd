"""Rules for the settings in a foreign configuration, checked before anything is built from them.

A rule is data: what it says, and whether a value keeps it. Only settings with a rule reach a
foreign library, so that no configuration names code, or asks for more layers than a network has.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from math import prod
from typing import Any

from ...system.memory.physical_memory import physical_memory_bytes

_MOST_SHOWN = 60
_FLOAT32_BYTES = 4

# Beyond these no published network of images goes.
MOST_CHANNELS = 8192
MOST_LAYERS = 128
# More than thirty windows of nnU-Net's usual size.
MOST_WINDOW_VOXELS = 1 << 26


class SettingFault(ValueError):
    """A setting that breaks its rule; the message is the fault without the file."""


@dataclass(frozen=True)
class Rule:
    """A rule for one value.

    Attributes:
        words: What the value has to be, such as "a whole number from 1 to 8".
        allows: Whether a value keeps the rule.
    """

    words: str
    allows: Callable[[Any], bool]


Rules = Mapping[str, Rule]


def whole(least: int, most: int) -> Rule:
    """A whole number between two bounds, inclusive."""
    return Rule(
        f"a whole number from {least} to {most}",
        lambda value: type(value) is int and least <= value <= most,
    )


def number(least: float, most: float) -> Rule:
    """A finite number between two bounds, inclusive."""
    return Rule(
        f"a number from {least:g} to {most:g}",
        lambda value: type(value) in (int, float) and least <= value <= most,
    )


def one_of(*names: Any) -> Rule:
    """One of some texts, numbers or None."""
    return Rule(
        f"one of {', '.join(map(str, names))}",
        lambda value: any(type(value) is type(name) and value == name for name in names),
    )


def each(rule: Rule, least: int, most: int) -> Rule:
    """A list whose entries all keep a rule."""
    length = f"{least}" if least == most else f"{least} to {most}"
    return Rule(
        f"a list of {length}, each {rule.words}",
        lambda value: (
            isinstance(value, list | tuple)
            and least <= len(value) <= most
            and all(map(rule.allows, value))
        ),
    )


def either(*rules: Rule) -> Rule:
    """A value that keeps one of several rules."""
    return Rule(
        ", or ".join(rule.words for rule in rules),
        lambda value: any(rule.allows(value) for rule in rules),
    )


def one_or_each(rule: Rule, most: int, least: int = 1) -> Rule:
    """A value that keeps a rule, or a list of them."""
    return either(rule, each(rule, least, most))


def optional(rule: Rule) -> Rule:
    """None, or a value that keeps a rule."""
    return either(NOTHING, rule)


def group(rules: Rules) -> Rule:
    """A mapping of settings, each of which has a rule and keeps it."""
    return Rule(
        f"settings of {', '.join(rules) or 'nothing'}",
        lambda value: (
            isinstance(value, dict)
            and all(key in rules and rules[key].allows(item) for key, item in value.items())
        ),
    )


NOTHING = Rule("null", lambda value: value is None)
FLAG = Rule("true or false", lambda value: isinstance(value, bool))
FRACTION = number(0, 1)
CHANNELS = whole(1, MOST_CHANNELS)


def check_settings(values: Mapping[str, Any], rules: Rules, place: str) -> None:
    """Check that all settings have a rule and keep it.

    Args:
        values: The settings.
        rules: The rules of all known settings; none is required.
        place: Whose settings they are, for the message.

    Raises:
        SettingFault: A setting is unknown or breaks its rule.
    """
    for key, value in values.items():
        if key not in rules:
            raise SettingFault(
                f"{place} has the setting {shown(key)}, and the known ones are {', '.join(rules)}"
            )
        if not rules[key].allows(value):
            raise SettingFault(
                f"{key} of {place} is {shown(value)}, and it must be {rules[key].words}"
            )


def known_settings(values: object, rules: Rules, place: str) -> dict[str, Any]:
    """The settings that have a rule, checked; others are left out.

    Raises:
        SettingFault: A setting breaks its rule, or `values` is not a mapping.
    """
    if not isinstance(values, dict):
        raise SettingFault(f"{place} is {shown(values)}, and it must contain names and values")
    known = {key: value for key, value in values.items() if key in rules}
    check_settings(known, rules, place)
    return known


def typed_settings(values: object, rules: Rules, place: str, kind: str) -> dict[str, Any]:
    """The known settings of a part of transformers' configuration, for the network `kind`.

    Raises:
        SettingFault: As `known_settings`, or the part is of another network.
    """
    stated = stated_parts(values, place).get("model_type", kind)
    if stated != kind:
        raise SettingFault(f"model_type of {place} is {shown(stated)}, and it must be {kind}")
    return {**known_settings(values, rules, place), "model_type": kind}


def stated_parts(values: object, place: str) -> dict[str, Any]:
    """The entries of a configuration that are not null.

    Raises:
        SettingFault: It is not a mapping.
    """
    if not isinstance(values, dict):
        raise SettingFault(f"{place} is {shown(values)}, and it must contain names and values")
    return {name: value for name, value in values.items() if value is not None}


def check_window(sizes: Iterable[int], inputs: int, channels: int, place: str) -> None:
    """Check that a network's windows are no larger than any in use, and fit into memory.

    Args:
        sizes: The sides of a window in voxels or pixels.
        inputs: The windows of a batch.
        channels: The channels of the network's first layer.
        place: What states the sides, for the message.

    Raises:
        SettingFault: They are, or their features in 32 bits do not fit.
    """
    sides = list(sizes)
    voxels = inputs * prod(sides)
    if voxels > MOST_WINDOW_VOXELS:
        raise SettingFault(
            f"{place} of {shown(sides)} has {voxels} voxels with those of its batch, and at most "
            f"{MOST_WINDOW_VOXELS} are supported"
        )
    _check_memory(
        _FLOAT32_BYTES * channels * voxels, f"{place} of {shown(sides)} with {channels} channels"
    )


def check_parameters(shapes: Iterable[tuple[int, ...]], place: str) -> None:
    """Check that the tensors of a network fit into memory, in 32 bits.

    Raises:
        SettingFault: They do not.
    """
    _check_memory(_FLOAT32_BYTES * sum(map(prod, shapes)), place)


def shown(value: object) -> str:
    """The beginning of a value, for a message."""
    # A long list is cut before its text is made.
    short = value[:_MOST_SHOWN] if isinstance(value, list | tuple | str) else value
    text = ascii(list(short) if isinstance(short, tuple) else short)
    return text if len(text) <= _MOST_SHOWN else f"{text[:_MOST_SHOWN]}…"


def plain(name: object) -> str:
    """A name as `shown`, without quotation marks."""
    return shown(name).strip("'")


def _check_memory(nbytes: int, place: str) -> None:
    memory = physical_memory_bytes()
    if nbytes > memory:
        raise SettingFault(
            f"{place} takes {nbytes // 10**9} GB, and this machine has {memory // 10**9} GB of "
            "memory"
        )
