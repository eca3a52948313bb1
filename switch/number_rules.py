"""Changes of numbers that one trunk wants (`rules_in`, `rules_out`), and what a trunk's numbers become here. Pure."""

from functools import lru_cache

from switch.config_trunks import NumberRule, Trunk
from switch.numbers import clean, format_number
from switch.patterns import PatternTable


def apply_rules(rules: tuple[NumberRule, ...], number: str, which: str) -> str:
    """`number` after the first rule that matches it; `which` is dialed or caller."""
    for rule in rules:
        if rule.number in ("both", which) and _table(rule.pattern).find(number) is not None:
            return rule.prepend + number[rule.strip :]
    return number


def number_from_trunk(trunk: Trunk, number: str, region: str, which: str) -> str:
    """A number that the trunk sent, as it is known here: its rules first, then its format."""
    if not number:
        return number
    changed = apply_rules(trunk.rules_in, clean(number), which)
    return changed if trunk.number_format_in == "as_sent" else format_number(changed, region, trunk.number_format_in)


@lru_cache(maxsize=1024)
def _table(pattern: str) -> PatternTable[bool]:
    return PatternTable([(pattern, True)])
