"""`ringback prompts …`: the library of recorded prompts."""

import binascii
import os
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer
from rich.console import RenderableType

from control.client import BlockingControlClient
from model.commands_imports import ListUploaded
from model.commands_prompts import MAX_PIECE, MAX_UPLOAD, PromptList, PromptPiece, PromptUploaded, PromptView
from switch.cli_client import DEFAULT_SERVER, AsJson, Server, Token, ask, connected, fail
from switch.cli_tables import instant_text, next_page, rows_table

prompts_app = typer.Typer(no_args_is_help=True, help="Recorded prompts, by name and language.")

Name = Annotated[str, typer.Argument(help="Letters, digits, - and _; flows name it as prompt:NAME.")]
Language = Annotated[str, typer.Option(help='"zh", "en", "en-GB" …')]
Title = Annotated[str | None, typer.Option(help="How people call it.")]
Text = Annotated[str | None, typer.Option(help="What it says in that language.")]


def add_prompts(app: typer.Typer) -> None:
    """The commands, beside the others."""
    app.add_typer(prompts_app, name="prompts")


@prompts_app.command("add")
def prompts_add(
    name: Name,
    file: Annotated[Path | None, typer.Argument(help="WAV, MP3, OGG or FLAC; none: only texts are set.")] = None,
    language: Language = "zh",
    text: Text = None,
    title: Title = None,
    as_json: AsJson = False,
    server: Server = DEFAULT_SERVER,
    token: Token = "",
) -> None:
    """Put a sound file into the library, in the place of what was there in that language."""
    params: dict[str, Any] = {"prompt": name}
    if title is not None:
        params["title"] = title
    if text is not None:
        params["texts"] = {language: text}
    if file is not None:
        content = _read(file)
        with connected(server, token) as switch:
            params["audio"] = {language: upload_pieces(switch, "prompt.upload", content, PromptUploaded, MAX_PIECE)}
            # The same user has it, not the same connection.
    ask(server, token, as_json, "prompt.set", params, _one)


@prompts_app.command("list")
def prompts_list(
    prefix: Annotated[str, typer.Option(help="Only names that begin so.")] = "",
    limit: Annotated[int, typer.Option(min=1, max=1000, help="At most so many.")] = 100,
    cursor: Annotated[str, typer.Option(help="The page after this one.")] = "",
    as_json: AsJson = False,
    server: Server = DEFAULT_SERVER,
    token: Token = "",
) -> None:
    """Prompts of the library."""
    ask(server, token, as_json, "prompt.list", {"prefix": prefix, "limit": limit, "cursor": cursor}, _page)


@prompts_app.command("get")
def prompts_get(
    name: Name,
    to: Annotated[Path | None, typer.Option(help="Write the audio there (WAV).")] = None,
    language: Language = "zh",
    as_json: AsJson = False,
    server: Server = DEFAULT_SERVER,
    token: Token = "",
) -> None:
    """Show a prompt, or fetch its audio."""
    if to is not None:
        with connected(server, token) as switch:
            content = _download(switch, name, language)
        try:
            to.write_bytes(content)
        except OSError as error:
            fail(f"{to}: {error.strerror}")
    ask(server, token, as_json, "prompt.get", {"prompt": name}, _one)


@prompts_app.command("remove")
def prompts_remove(name: Name, as_json: AsJson = False, server: Server = DEFAULT_SERVER, token: Token = "") -> None:
    """Remove a prompt that nothing uses."""
    ask(server, token, as_json, "prompt.remove", {"prompt": name}, lambda _: "removed")


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            if os.fstat(file.fileno()).st_size > MAX_UPLOAD:
                fail(f"{path}: larger than {MAX_UPLOAD >> 20} MiB")
            return file.read(MAX_UPLOAD + 1)
    except OSError as error:
        fail(f"{path}: {error.strerror}")


def upload_pieces(
    switch: BlockingControlClient, name: str, content: bytes, result: type[PromptUploaded | ListUploaded], size: int
) -> str:
    """Sends a file by the command `name`; the id of the upload."""
    upload_id, offset = "", 0
    while True:
        piece = content[offset : offset + size]
        is_last = offset + len(piece) >= len(content)
        params = {
            "data": binascii.b2a_base64(piece, newline=False).decode(),
            "upload_id": upload_id,
            "offset": offset,
            "is_last": is_last,
        }
        upload_id = msgspec.convert(switch.call(name, **params), result).upload_id
        offset += len(piece)
        if is_last:
            return upload_id


def _download(switch: BlockingControlClient, name: str, language: str) -> bytes:
    content, sha256 = bytearray(), ""
    while True:
        params = {"prompt": name, "language": language, "offset": len(content)}
        piece = msgspec.convert(switch.call("prompt.download", **params), PromptPiece)
        if sha256 and piece.sha256 != sha256:
            fail(f"prompt {name} was replaced meanwhile; fetch it again")
        sha256 = piece.sha256
        content += binascii.a2b_base64(piece.data)
        if len(content) >= piece.size:
            return bytes(content)


def _page(found: PromptList) -> RenderableType:
    return _table(found.prompts, next_page(found.cursor) or f"{found.n_prompts} in the library")


def _one(prompt: PromptView) -> RenderableType:
    return _table([prompt], "used by " + "; ".join(prompt.used_by) if prompt.used_by else "")


def _table(prompts: list[PromptView], caption: str) -> RenderableType:
    heads = ("prompt", "title", "language", "audio", "text", "uploaded", "by")
    rows = [
        (
            prompt.prompt,
            prompt.title,
            each.language,
            f"{each.duration_s:.1f} s" if each.has_audio else "",
            each.text,
            instant_text(each.uploaded_utc),
            each.uploaded_by,
        )
        for prompt in prompts
        for each in prompt.variants
    ]
    return rows_table(heads, rows, caption)
