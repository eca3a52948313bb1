"""What an agent says, with what is known of the customer in it (XAGT-08). Pure."""

import re
from collections.abc import Mapping

LONGEST = 40_000
"""Of a script that is filled in; what is beyond it is cut off."""
_FIELD = re.compile(r"\{([^{}\n]{1,128})\}")


def fill_in(script: str, name: str, data: Mapping[str, str]) -> str:
    """{name} and every field of `data`; one that is not known stays as it is written, so that one sees what is
    missing."""
    filled = _FIELD.sub(lambda found: name if (key := found[1].strip()) == "name" else data.get(key, found[0]), script)
    return filled[:LONGEST]
