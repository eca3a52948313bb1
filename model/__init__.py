"""The shared words: ids, hangup causes, commands, events, errors, and the protocol of the media worker.

Everything here is declared once and imported by every other folder; this folder imports nothing of ours.
"""
