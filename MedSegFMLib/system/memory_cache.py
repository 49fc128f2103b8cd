"""A memory of computed things that stays within a number of bytes."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")


class LruByteCache(Generic[Key, Value]):
    """Keeps what was used last; the latest is kept even where it alone is over the budget."""

    def __init__(self, budget_bytes: int, bytes_of: Callable[[Value], int]) -> None:
        self._budget_bytes = budget_bytes
        self._bytes_of = bytes_of
        self._items: OrderedDict[Key, Value] = OrderedDict()

    def __len__(self) -> int:
        return len(self._items)

    def get(self, key: Key) -> Value | None:
        """What was put under `key`, or None where it was not, or was let go."""
        if key in self._items:
            self._items.move_to_end(key)
        return self._items.get(key)

    def put(self, key: Key, value: Value) -> None:
        """Keep `value`, and let the least recently used go where there is too much."""
        self._items[key] = value
        self._items.move_to_end(key)
        held = sum(map(self._bytes_of, self._items.values()))
        while held > self._budget_bytes and len(self._items) > 1:
            held -= self._bytes_of(self._items.popitem(last=False)[1])
