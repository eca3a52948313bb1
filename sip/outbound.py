"""Registering by flows (RFC 5626 §6): what a REGISTER asks for, and whether its first hop could keep that. Pure."""

from sip.errors import SipParseError
from sip.headers import parse_integer
from sip.message import Request
from sip.uri import NameAddr, parse_name_addr


def supports(request: Request, tag: str) -> bool:
    """Whether the option tag stands in Supported or Require."""
    return any(value.lower() == tag for name in ("Supported", "Require") for value in request.all(name))


def flow_of(address: NameAddr, request: Request) -> tuple[str, int]:
    """(+sip.instance, reg-id) of a Contact; a reg-id counts only for a phone that speaks outbound and names itself.

    Raises:
        SipParseError: 400, no number.
    """
    params = address.params
    instance = params.get("+sip.instance", "")
    reg_id = parse_integer(params["reg-id"], 2**31 - 1, "reg-id") if "reg-id" in params else 0
    if not instance or not supports(request, "outbound"):
        return instance, 0
    return instance, reg_id


def check_flows(wishes: list[tuple[int, int]], request: Request) -> None:
    """`wishes` are (reg-id, expires) of each Contact.

    Raises:
        SipParseError: 400, several flows in one REGISTER; 439, a first hop that does not hold flows (§6).
    """
    n_flows = sum(1 for reg_id, expires_s in wishes if reg_id and expires_s)
    if not n_flows:
        return
    if n_flows > 1:
        raise SipParseError("several Contacts with reg-id")
    if len(request.all("Via")) > 1 and not _first_hop_keeps_flows(request):
        raise SipParseError("no ob in Path", 439, "First Hop Lacks Outbound Support")


def _first_hop_keeps_flows(request: Request) -> bool:
    path = request.all("Path")
    return bool(path) and "ob" in parse_name_addr(path[-1]).uri.params
