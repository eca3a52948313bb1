"""Where a caller comes from (归属地), by his number: the data of libphonenumber, which has China's mobile numbers too.

Reading the data takes about a second, so it is done once, in a thread (`load`); until then, and without agents who
prefer an area, nothing is said. A look-up takes some 20 µs and is kept.
"""

from collections.abc import Iterable
from functools import lru_cache

import phonenumbers


class Regions:
    """`region`: the country of numbers written without one ("CN"). `homes()`: the areas agents are preferred for."""

    def __init__(self, region: str) -> None:
        self._region = region
        self._is_loaded = False
        self._is_wanted = False
        self._homes: tuple[str, ...] = ()

    def load(self) -> None:
        """Blocks for a second: in a thread."""
        from phonenumbers import geocoder

        geocoder.description_for_number(phonenumbers.parse("13800138000", "CN"), "zh")
        geocoder.description_for_number(phonenumbers.parse("13800138000", "CN"), "en")
        self._is_loaded = True

    def use_homes(self, homes: Iterable[str]) -> bool:
        """The longest that a description contains is the area of a caller: 杭州 for 浙江省杭州市.

        Whether `load` is to be called now: the first time that there is one, since the data takes 60 MB.
        """
        self._homes = tuple(sorted({home for home in homes if home}, key=lambda home: (-len(home), home)))
        is_first = bool(self._homes) and not self._is_wanted
        self._is_wanted = self._is_wanted or is_first
        return is_first

    def area_of(self, number: str) -> str:
        """One of the homes, or the whole description; "" = not known."""
        if not self._is_loaded:
            return ""
        for language in ("zh", "en"):
            text = _describe(number, self._region, language)
            for home in self._homes:
                if home.lower() in text.lower():
                    return home
        return _describe(number, self._region, "zh")


@lru_cache(maxsize=16384)
def _describe(number: str, region: str, language: str) -> str:
    from phonenumbers import geocoder

    try:
        parsed = phonenumbers.parse(number, region)
    except phonenumbers.NumberParseException:
        return ""
    return str(geocoder.description_for_number(parsed, language))
