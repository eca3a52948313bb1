"""Codecs that are too dear for the tick: G.722, Opus, L16.

`media.codecs.registry` knows every codec by name; `media.codecs.desk.CodecDesk` decodes and encodes in threads of its
own, fed by the engine's intake and tick, which never wait for it. `media.codecs.streams` is what a thread does, without
the thread. PCMU and PCMA are no business of this package: they are look-up tables in the tick (`media.g711`).

Decoded audio is always 16-bit PCM at 16 kHz.
"""
