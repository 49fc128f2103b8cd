"""Changes to JSON values, and texts that are hardly JSON, for classes of attacks."""

from __future__ import annotations

import copy
import json
import random
from typing import Any

# What takes the place of a value, as JSON text, since Python cannot hold all of it.
_TEXTS = (
    *("null", "true", "false", "0", "-1", "1", "2", "0.5", "-0.0", "1e308", "1e999", "-1e999"),
    *("NaN", "Infinity", "9" * 25, "9" * 5000, "1" + "0" * 400, "1000000", "65536", "1e-300"),
    *('""', '"x"', '"é"', '"\\u0000"', '"\\ud800"', '"../x"', '"/dev/zero"', '"\\u001b[31m"'),
    *('"@preprocessing"', '"@pixdim"', "\"$__import__('pathlib').Path('ran').touch()\""),
    *('"$@pixdim + @pixdim"', '"os.system"', '"torch.nn.Conv3d"', '"builtins.eval"', '"nan"'),
    *("[]", "{}", "[[]]", '{"a": 1}', "[1, 2, 3]", "[-1, -1, -1]", "[1e999]", '[null, "x"]'),
    *('{"_target_": "os.system"}', '{"__class__": "x"}'),
)
_LONG = (
    lambda: '"' + "x" * 200_000 + '"',
    lambda: "[" + "1," * 100_000 + "1]",
    lambda: "[" * 60 + "]" * 60,
    lambda: "[" * 100_000,
    lambda: '{"a":' * 70 + "1" + "}" * 70,
    lambda: "{" + ",".join(f'"{n}": {n}' for n in range(20_000)) + "}",
    lambda: '{"a": 1, "a": 2}',
)


def mutated(rng: random.Random, good: Any, most: int = 3) -> str:
    """The text of a JSON value of which one to `most` parts are others, gone or repeated."""
    value = copy.deepcopy(good)
    replaced: dict[str, str] = {}
    for number in range(rng.randint(1, most)):
        holder, key = _place(rng, value)
        if holder is None:
            continue
        action = rng.random()
        if action < 0.12:
            del holder[key]
        elif action < 0.2:
            holder[key] = copy.deepcopy(_anywhere(rng, value))
        elif action < 0.28 and isinstance(holder, dict):
            holder[f"unknown{number}"] = holder[key]
        else:
            mark = f"replaced {number} {rng.random()}"
            replaced[json.dumps(mark)] = _hostile(rng)
            holder[key] = mark
    text = json.dumps(value)
    for mark, instead in replaced.items():
        text = text.replace(mark, instead)
    return text


def garbled(rng: random.Random, text: str) -> bytes:
    """The bytes of a text with some changed, cut off, or with something before or behind."""
    data = bytearray(text.encode("utf-8", "surrogatepass"))
    action = rng.randrange(5)
    if action == 0:
        return bytes(data[: rng.randrange(len(data) + 1)])
    if action == 1:
        return rng.choice((b"\xef\xbb\xbf", b"\xff\xfe", b"\0", b"\x1f\x8b")) + bytes(data)
    if action == 2:
        return bytes(data) + rng.choice((b"}", b"\0", b"{}", b"\xff"))
    for _ in range(rng.randint(1, 4)):
        if data:
            data[rng.randrange(len(data))] = rng.randrange(256)
    return bytes(data)


def _hostile(rng: random.Random) -> str:
    return rng.choice(_LONG)() if rng.random() < 0.1 else rng.choice(_TEXTS)


def _place(rng: random.Random, value: Any) -> tuple[Any, Any]:
    """A container and one of its keys; nothing if the value contains none."""
    places = [
        (holder, key)
        for holder in _containers(value)
        for key in (holder if isinstance(holder, dict) else range(len(holder)))
    ]
    return rng.choice(places) if places else (None, None)


def _anywhere(rng: random.Random, value: Any) -> Any:
    holder, key = _place(rng, value)
    return None if holder is None else holder[key]


def _containers(value: Any) -> list[Any]:
    found, waiting = [], [value]
    while waiting:
        item = waiting.pop()
        if isinstance(item, dict | list):
            found.append(item)
            waiting += item.values() if isinstance(item, dict) else item
    return found
