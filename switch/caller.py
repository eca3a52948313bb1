"""What the INVITE of a call says of its caller: who it is, whether it may be shown, and who sent it on before. Pure.

Only what the sender may be believed is taken: an extension is who it proved to be (switch.identity).
"""

import msgspec

from sip.diversion import Diverted, read_diversions
from sip.headers import parse_integer
from sip.identity import asserted_identity, is_anonymous, privacy
from sip.message import Request
from switch.call import Call, Leg
from switch.cdr import mask
from switch.identity import Identified
from switch.numbers import clean

MAX_BREADTH = 60
"""Where nothing is said (RFC 5393 §5.3.3)."""


class Caller(msgspec.Struct, frozen=True, gc=False):
    number: str
    """"" when it is hidden and nobody vouches for it."""
    name: str
    is_private: bool
    """It does not want to be shown."""


def caller_of(request: Request, who: Identified) -> Caller:
    """An extension is who it proved to be, whatever it prefers (P-Preferred-Identity); a trunk of our trust domain is
    believed what it asserts (RFC 3325 §5), any other one its From.

    Raises:
        SipParseError: 400.
    """
    wants_privacy = bool(privacy(request)) if "Privacy" in request.headers else False
    if who.extension is not None:
        return Caller(who.extension.number, who.extension.name, wants_privacy)
    is_trusted = who.trunk is not None and who.trunk.config.identity == "asserted"
    asserted = asserted_identity(request) if is_trusted else None
    is_hidden = is_anonymous(request.from_)
    if asserted is None and is_hidden:
        return Caller("", "", True)
    address = asserted or request.from_
    return Caller(mask(clean(address.uri.user)), mask(address.display), is_hidden or wants_privacy)


def max_breadth(request: Request) -> int:
    """How many legs may ring for it at one time (RFC 5393 §5.3.3); 0: none, answer 440.

    Raises:
        SipParseError: 400.
    """
    value = request.headers.get("Max-Breadth")
    return MAX_BREADTH if value is None else min(MAX_BREADTH, parse_integer(value, 2**31, "Max-Breadth"))


def note_story(call: Call, leg: Leg, request: Request, who: Identified) -> None:
    """What else the INVITE tells; the history of a call is a carrier's to tell, not a phone's."""
    if who.trunk is None:
        return
    leg.wants_early_media_line = "P-Early-Media" in request.headers
    for one in read_diversions(request):
        call.received_diversions.append(Diverted(mask(clean(one.number)), mask(one.reason), one.is_private))
