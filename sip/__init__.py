"""SIP without I/O (RFC 3261, 6026, 3264, 3581, 7616): bytes and `now` in, actions out.

Main type: `sip.stack.SipStack`. Rule: no socket, clock, task or random source in here, except in `sip/net`.
"""
