"""Do-not-call lists in memory: whole numbers and beginnings of numbers, of one campaign or of all (XOUT-04)."""

from collections.abc import Iterator


class DncBook:
    """Who is asked pays for the length of the number, however long the lists are."""

    def __init__(self) -> None:
        self._numbers: dict[str, dict[str, float]] = {}
        """By campaign ("" = all): number -> until when, 0.0 = for ever."""
        self._prefixes: dict[str, dict[str, float]] = {}

    def __len__(self) -> int:
        return sum(map(len, self._numbers.values())) + sum(map(len, self._prefixes.values()))

    def add(self, number: str, campaign: str = "", *, is_prefix: bool = False, expires_utc: float = 0.0) -> None:
        """Once more: the later end holds. Raises ValueError for no number: as a prefix it would bar everybody."""
        if not number:
            raise ValueError("a do-not-call entry needs a number, or the beginning of one")
        entries = (self._prefixes if is_prefix else self._numbers).setdefault(campaign, {})
        before = entries.get(number)
        if before is None:
            entries[number] = expires_utc
        else:
            entries[number] = max(before, expires_utc) if before and expires_utc else 0.0

    def remove(self, number: str, campaign: str = "", *, is_prefix: bool = False) -> bool:
        """False: it was not there."""
        tables = self._prefixes if is_prefix else self._numbers
        entries = tables.get(campaign, {})
        was_there = entries.pop(number, None) is not None
        if not entries:
            tables.pop(campaign, None)
        return was_there

    def forget_campaign(self, campaign: str) -> None:
        """It is gone, with its own entries. Those of all campaigns stay."""
        if campaign:
            self._numbers.pop(campaign, None)
            self._prefixes.pop(campaign, None)

    def is_barred(self, number: str, campaign: str, wall: float = 0.0) -> bool:
        """Whether the campaign must not call the number. An entry with an end is in force until `wall` reaches it."""
        return any(wall < until or not until for until in self._found(number, campaign))

    def _found(self, number: str, campaign: str) -> Iterator[float]:
        for name in {"", campaign}:
            entries = self._numbers.get(name)
            if entries is not None and number in entries:
                yield entries[number]
            prefixes = self._prefixes.get(name)
            if prefixes:
                beginnings = (number[:n] for n in range(1, len(number) + 1))
                yield from (prefixes[each] for each in beginnings if each in prefixes)
