"""A cache with a limited size in bytes."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")


class LruByteCache(Generic[Key, Value]):
    """A least-recently-used cache; the latest item is kept even if it exceeds the budget.

    Args:
        budget_bytes: the limit of the total size.
        bytes_of: returns the size of a value.
    """

    def __init__(self, budget_bytes: int, bytes_of: Callable[[Value], int]) -> None:
        self._budget_bytes = budget_bytes
        self._bytes_of = bytes_of
        self._items: OrderedDict[Key, Value] = OrderedDict()

    def __len__(self) -> int:
        return len(self._items)

    def get(self, key: Key) -> Value | None:
        """The value of `key`, or None if it is missing or was evicted."""
        if key in self._items:
            self._items.move_to_end(key)
        return self._items.get(key)

    def clear(self) -> None:
        """Forget all items."""
        self._items.clear()

    def put(self, key: Key, value: Value) -> None:
        """Store `value`, and evict the least recently used items above the budget."""
        self._items[key] = value
        self._items.move_to_end(key)
        total = sum(map(self._bytes_of, self._items.values()))
        while total > self._budget_bytes and len(self._items) > 1:
            total -= self._bytes_of(self._items.popitem(last=False)[1])
