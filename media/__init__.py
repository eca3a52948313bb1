"""The media process: sessions, the tick, hear-matrix mixing, codecs, DTMF, tones, prompts, recording.

Main type: `media.engine.Engine`, driven by `media.worker`. Rule: the tick allocates nothing and waits for nothing.
"""
