"""Events about the library of prompts."""

from model.declare import Event, event


@event("prompt.changed")
class PromptChanged(Event, frozen=True, kw_only=True):
    """A prompt was added, or its title, texts or audio are others."""

    prompt: str
    title: str
    languages: list[str]
    """That it has audio of."""
    by: str
    """The API user that did it."""


@event("prompt.removed")
class PromptRemoved(Event, frozen=True, kw_only=True):
    """A prompt is gone."""

    prompt: str
    by: str
