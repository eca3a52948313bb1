"""A dict that never grows past its size: what was used longest ago makes room. Strangers can fill no memory with it."""

from collections import OrderedDict
from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")


class BoundedTable(OrderedDict[K, V], Generic[K, V]):
    """`look_up` and setting an item count as use."""

    def __init__(self, max_items: int) -> None:
        super().__init__()
        self.max_items = max_items

    def look_up(self, key: K) -> V | None:
        found = super().get(key)
        if found is not None:
            self.move_to_end(key)
        return found

    def __setitem__(self, key: K, value: V) -> None:
        super().__setitem__(key, value)
        self.move_to_end(key)
        if len(self) > self.max_items:
            self.popitem(last=False)
