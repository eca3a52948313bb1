"""`ringback demo`: a switch on free loopback ports, our own SIP/RTP phones in another process, a live table, a summary."""
