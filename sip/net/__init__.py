"""The only I/O of `sip`: UDP, TCP, TLS and WebSocket listeners behind one interface; asynchronous DNS (RFC 3263)."""
