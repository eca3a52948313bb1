"""What goes wrong when a text is to be spoken."""


class SpeechError(Exception):
    """It cannot be spoken; the text says why."""
