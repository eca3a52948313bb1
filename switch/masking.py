"""Telephone numbers for those who may not see them whole (XRBAC-05). Pure."""

LEFT, RIGHT = 3, 4
HIDDEN = "*"


def mask_number(number: str) -> str:
    """The first three and the last four digits, the others hidden; of a short number the last two at most."""
    digits = [at for at, char in enumerate(number) if char.isdigit()]
    if len(digits) > LEFT + RIGHT:
        hidden = set(digits[LEFT:-RIGHT])
    else:
        hidden = set(digits[:-2] if len(digits) > 2 else digits)
    return "".join(HIDDEN if at in hidden else char for at, char in enumerate(number))
