"""The control protocol: JSON-RPC 2.0, one object a line, over TCP; decoded, checked and documented from `model`'s declarations.

Rule: nothing is answered before authentication, and a slow subscriber is dropped, never waited for.
"""
