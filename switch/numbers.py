"""Telephone numbers: cleaning what was dialled and writing a number as a trunk wants it (E.164, by phonenumbers)."""

from functools import lru_cache

import phonenumbers

_SEPARATORS = str.maketrans("", "", " -().\t")


def clean(dialed: str) -> str:
    """What was dialled without the separators that people write; "00…" stays as it is."""
    return dialed if dialed.isalnum() else dialed.translate(_SEPARATORS)


@lru_cache(maxsize=65536)
def e164(number: str, region: str) -> str:
    """ "+8613800138000" for any way of writing it that is valid in `region`, else ""."""
    parsed = _parse(number, region)
    return phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164) if parsed else ""


@lru_cache(maxsize=65536)
def format_number(number: str, region: str, style: str) -> str:
    """`number` as a trunk wants it; unchanged when it is no telephone number (an extension, a service number).

    Styles: as_dialed; national ("13800138000", "02188886666"; foreign numbers with the international prefix);
    e164 ("8613800138000"); e164_plus.
    """
    if style == "as_dialed":
        return number
    parsed = _parse(number, region)
    if parsed is None:
        return number
    full = phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164)
    if style == "e164_plus":
        return full
    if style == "e164":
        return full[1:]
    written = phonenumbers.format_out_of_country_calling_number(parsed, region)
    return "".join(c for c in written if c.isdigit())


@lru_cache(maxsize=65536)
def is_international(number: str, region: str) -> bool:
    """True when the number belongs to another country than `region`, or is dialled as if it did."""
    parsed = _parse(number, region)
    if parsed is None:
        return number.startswith(("+", "00"))
    return parsed.country_code != phonenumbers.country_code_for_region(region)


def _parse(number: str, region: str) -> phonenumbers.PhoneNumber | None:
    try:
        parsed = phonenumbers.parse(number, region)
    except phonenumbers.NumberParseException:
        return None
    return parsed if phonenumbers.is_valid_number(parsed) else None
