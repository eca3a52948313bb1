"""SIP status ↔ hangup cause (FEATURES 4.6, RFC 3398) and the Reason header (RFC 3326). The one place that converts."""

import re
from typing import Final

from model.causes import HangupCause as Cause

FROM_STATUS: Final[dict[int, Cause]] = {
    400: Cause.NORMAL_TEMPORARY_FAILURE,
    401: Cause.CALL_REJECTED,
    402: Cause.CALL_REJECTED,
    403: Cause.CALL_REJECTED,
    404: Cause.UNALLOCATED_NUMBER,
    405: Cause.SERVICE_UNAVAILABLE,
    407: Cause.CALL_REJECTED,
    408: Cause.RECOVERY_ON_TIMER_EXPIRE,
    410: Cause.NUMBER_CHANGED,
    413: Cause.INTERWORKING,
    414: Cause.INTERWORKING,
    416: Cause.INTERWORKING,
    420: Cause.INTERWORKING,
    421: Cause.INTERWORKING,
    423: Cause.INTERWORKING,
    480: Cause.NO_USER_RESPONSE,
    481: Cause.NORMAL_TEMPORARY_FAILURE,
    484: Cause.INVALID_NUMBER_FORMAT,
    485: Cause.NO_ROUTE_DESTINATION,
    486: Cause.USER_BUSY,
    487: Cause.ORIGINATOR_CANCEL,
    488: Cause.INCOMPATIBLE_DESTINATION,
    500: Cause.NORMAL_TEMPORARY_FAILURE,
    502: Cause.NETWORK_OUT_OF_ORDER,
    503: Cause.NORMAL_TEMPORARY_FAILURE,
    504: Cause.RECOVERY_ON_TIMER_EXPIRE,
    505: Cause.INTERWORKING,
    513: Cause.INTERWORKING,
    600: Cause.USER_BUSY,
    603: Cause.CALL_REJECTED,
    604: Cause.NO_ROUTE_DESTINATION,
    606: Cause.INCOMPATIBLE_DESTINATION,
    608: Cause.CALL_REJECTED,
}

TO_STATUS: Final[dict[Cause, tuple[int, str]]] = {
    Cause.USER_BUSY: (486, "Busy Here"),
    Cause.NO_USER_RESPONSE: (408, "Request Timeout"),
    Cause.NO_ANSWER: (480, "Temporarily Unavailable"),
    Cause.SUBSCRIBER_ABSENT: (480, "Temporarily Unavailable"),
    Cause.CALL_REJECTED: (603, "Decline"),
    Cause.NUMBER_CHANGED: (410, "Gone"),
    Cause.DESTINATION_OUT_OF_ORDER: (502, "Bad Gateway"),
    Cause.INVALID_NUMBER_FORMAT: (484, "Address Incomplete"),
    Cause.UNALLOCATED_NUMBER: (404, "Not Found"),
    Cause.NO_ROUTE_DESTINATION: (404, "Not Found"),
    Cause.NORMAL_CIRCUIT_CONGESTION: (503, "Service Unavailable"),
    Cause.NETWORK_OUT_OF_ORDER: (503, "Service Unavailable"),
    Cause.NORMAL_TEMPORARY_FAILURE: (503, "Service Unavailable"),
    Cause.SWITCH_CONGESTION: (503, "Service Unavailable"),
    Cause.REQUESTED_CHAN_UNAVAIL: (503, "Service Unavailable"),
    Cause.OUTGOING_CALL_BARRED: (403, "Forbidden"),
    Cause.INCOMING_CALL_BARRED: (403, "Forbidden"),
    Cause.SERVICE_UNAVAILABLE: (503, "Service Unavailable"),
    Cause.INCOMPATIBLE_DESTINATION: (488, "Not Acceptable Here"),
    Cause.RECOVERY_ON_TIMER_EXPIRE: (504, "Server Time-out"),
    Cause.ORIGINATOR_CANCEL: (487, "Request Terminated"),
    Cause.USER_NOT_REGISTERED: (480, "Temporarily Unavailable"),
    Cause.GATEWAY_DOWN: (503, "Service Unavailable"),
    Cause.INVALID_GATEWAY: (484, "Address Incomplete"),
    Cause.SYSTEM_SHUTDOWN: (503, "Service Unavailable"),
}

_BY_Q850: Final[dict[int, Cause]] = {cause.q850: cause for cause in Cause if cause.q850}
_SIP_CAUSE = re.compile(r"SIP[^,]*?;\s*cause\s*=\s*(\d{3})", re.IGNORECASE)
_Q850_CAUSE = re.compile(r"cause\s*=\s*(\d{1,3})")


def cause_of_status(status: int) -> Cause:
    """The cause of a final response that refused a call."""
    return FROM_STATUS.get(status, Cause.NORMAL_UNSPECIFIED)


def status_of_cause(cause: Cause) -> tuple[int, str]:
    """The status and phrase that tell a caller the cause."""
    return TO_STATUS.get(cause, (480, "Temporarily Unavailable"))


def reason_header(cause: Cause) -> str:
    """Value of a Reason header; "" where Q.850 has no number for the cause."""
    if cause is Cause.LOSE_RACE or cause is Cause.ANSWERED_ELSEWHERE:
        return 'SIP;cause=200;text="Call completed elsewhere"'
    return f'Q.850;cause={cause.q850};text="{cause.value}"' if cause.q850 else ""


def cause_of_reason(value: str, default: Cause) -> Cause:
    """The cause that a received Reason header names, else `default`."""
    if not value:
        return default
    if "Q.850" not in value:
        # SIP;cause=200 is for who lost to another one (RFC 3326 §2); other statuses stand in for the response's.
        status = _SIP_CAUSE.match(value.lstrip())
        if status is None:
            return default
        return Cause.ANSWERED_ELSEWHERE if status[1] == "200" else FROM_STATUS.get(int(status[1]), default)
    match = _Q850_CAUSE.search(value, value.find("Q.850"))
    return _BY_Q850.get(int(match[1]), default) if match else default
