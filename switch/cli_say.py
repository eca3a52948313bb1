"""`ringback say`: speaks a text into a file, as flows do."""

from pathlib import Path
from typing import Annotated

import typer

from model.speech import MAX_TEXT, SpeechVoice
from speech.errors import SpeechError
from switch.cli_client import fail
from switch.config_file import ConfigError, load_config, parse_config
from switch.config_speech import speech_setup


def say(
    text: Annotated[str, typer.Argument(help="What is said.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="WAV file to write.")] = Path("said.wav"),
    language: Annotated[str, typer.Option(help='"zh", "en", …')] = "zh",
    config: Annotated[Path | None, typer.Option("--config", "-c", help="With voices of one's own.")] = None,
) -> None:
    """Speak a text into a WAV file, with the voice that callers hear."""
    # Only here: every other command would wait for numpy.
    from speech.audio import RATE, finish, to_wav
    from speech.providers import make_provider

    try:
        setup = speech_setup(load_config(config) if config is not None else parse_config(""))
        voices = {voice.language: voice for voice in setup.voices}
        voice = voices.get(language) or SpeechVoice(language=language, provider="espeak")
        if not 1 <= len(text) <= MAX_TEXT:
            fail(f"a text has 1 to {MAX_TEXT} characters, this one has {len(text)}")
        samples = finish(*make_provider(voice).synth(text, language, voice.voice, voice.rate))
        out.write_bytes(to_wav(samples))
    except (ConfigError, SpeechError) as error:
        fail(str(error))
    except OSError as error:
        fail(f"{out}: {error.strerror}")
    typer.echo(f"{out}  {len(samples) / RATE:.1f} s, {voice.provider}")
