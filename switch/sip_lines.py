"""Small pieces of SIP headers that legs write and read. Pure."""

import re

from sip.message import Response


def warning_line(warning: str) -> str:
    """A Warning header line (RFC 3261 §20.43), "" for no warning."""
    return f"Warning: {warning}\r\n" if warning else ""


def retry_after_s(response: Response) -> float:
    """Of a Retry-After header (RFC 3261 §20.33), whose comment and parameters do not matter here; 0.0 without one."""
    match = re.match(r"\s*(\d{1,9})", response.headers.get("Retry-After", ""))
    return float(match[1]) if match else 0.0
