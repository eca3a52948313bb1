"""The WebRTC edge: one process between browsers and the media engine, `python -m media.webrtc.process`.

Browsers speak ICE, DTLS and SRTP to its one UDP port; to the engine each looks like a phone that sends plain RTP from
the edge's loopback address, told apart by the engine's port. The switch commands it as it does a media worker
(`model/webrtc.py`). Main type: `edge.Edge`. `stun`, `dtls` and `peers` do no I/O and take `now`.
"""
