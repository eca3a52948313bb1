"""The control protocol: JSON-RPC 2.0, one object a line, over TCP; checked and documented from `model`'s declarations.

`ControlServer` answers commands, `EventHub` delivers events, `ControlClient` is the other end. Rule: nothing is
answered before authentication, and a slow subscriber is dropped, never waited for.
"""
