"""The only I/O of `sip`: UDP, TCP and TLS listeners behind one small interface, and asynchronous DNS (RFC 3263)."""
