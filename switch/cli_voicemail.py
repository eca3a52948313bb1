"""`ringback voicemail …`: messages that callers left, and the boxes they are in."""

import base64
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import RenderableType

from model.commands_voicemail import BoxList, BoxView, VoicemailList, VoicemailReport
from model.records import MessageRecord
from switch.cli_client import DEFAULT_SERVER, AsJson, Server, Token, ask, connected, fail, utc_of
from switch.cli_tables import duration_text, facts_grid, instant_text, next_page, rows_table

voicemail_app = typer.Typer(no_args_is_help=True, help="Messages that callers left, and the boxes they are in.")

MessageId = Annotated[str, typer.Argument(help="As `list` shows it.")]
Box = Annotated[str, typer.Argument(help="Name of the box.")]


def add_voicemail(app: typer.Typer) -> None:
    """The commands, beside the others."""
    app.add_typer(voicemail_app, name="voicemail")


@voicemail_app.command("list")
def messages_list(
    box: Annotated[str, typer.Option(help="Only of this box.")] = "",
    queue: Annotated[str, typer.Option(help="Only of boxes of this queue.")] = "",
    caller: Annotated[str, typer.Option(help="Only from this number.")] = "",
    state: Annotated[str, typer.Option(help="new, heard, deleted or failed; if not given, what is in boxes.")] = "",
    since: Annotated[str, typer.Option(help="2026-12-31 or 2026-12-31T18:00 (local time).")] = "",
    limit: Annotated[int, typer.Option(min=1, max=1000, help="At most so many.")] = 50,
    cursor: Annotated[str, typer.Option(help="The page after this one.")] = "",
    as_json: AsJson = False,
    server: Server = DEFAULT_SERVER,
    token: Token = "",
) -> None:
    """Messages, latest first."""
    params = {"box": box, "queue": queue, "caller": caller, "state": state, "limit": limit, "cursor": cursor}
    ask(server, token, as_json, "voicemail.list", params | {"start_utc": utc_of(since)}, _page)


@voicemail_app.command("show")
def message_show(
    message_id: MessageId, as_json: AsJson = False, server: Server = DEFAULT_SERVER, token: Token = ""
) -> None:
    """One message."""
    ask(server, token, as_json, "voicemail.get", {"message_id": message_id}, _message)


@voicemail_app.command("save")
def message_save(
    message_id: MessageId,
    file: Annotated[Path, typer.Argument(help="Where to write the WAV; it must not be there.")],
    server: Server = DEFAULT_SERVER,
    token: Token = "",
) -> None:
    """Download the sound of a message."""
    sound = b""
    with connected(server, token) as switch:
        while piece := switch.call("voicemail.audio", message_id=message_id, offset=len(sound))["content"]:
            sound += base64.b64decode(piece)
    try:
        with file.open("xb") as out:
            out.write(sound)
    except OSError as error:
        fail(f"{file}: {error.strerror}")
    print(file)


@voicemail_app.command("mark")
def message_mark(
    message_id: MessageId,
    state: Annotated[str | None, typer.Option(help="new or heard.")] = None,
    remark: Annotated[str | None, typer.Option(help="What there is to say of it.")] = None,
    urgent: Annotated[bool | None, typer.Option(help="Whether it is urgent.")] = None,
    called_back: Annotated[bool | None, typer.Option(help="Whether the caller was called back.")] = None,
    as_json: AsJson = False,
    server: Server = DEFAULT_SERVER,
    token: Token = "",
) -> None:
    """Say that a message was heard, is urgent …"""
    wanted = {"state": state, "remark": remark, "is_urgent": urgent, "is_called_back": called_back}
    params: dict[str, Any] = {name: value for name, value in wanted.items() if value is not None}
    ask(server, token, as_json, "voicemail.mark", {"message_id": message_id, **params}, _message)


@voicemail_app.command("delete")
def message_delete(
    message_id: MessageId, as_json: AsJson = False, server: Server = DEFAULT_SERVER, token: Token = ""
) -> None:
    """Remove the sound of a message for good."""
    ask(server, token, as_json, "voicemail.delete", {"message_id": message_id}, _message)


@voicemail_app.command("call-back")
def message_call_back(
    message_id: MessageId,
    extension: Annotated[str, typer.Argument(help="The phone that calls.")],
    as_json: AsJson = False,
    server: Server = DEFAULT_SERVER,
    token: Token = "",
) -> None:
    """Ring a phone, and then who left the message."""
    params = {"message_id": message_id, "extension": extension}
    ask(server, token, as_json, "voicemail.call_back", params, _message)


@voicemail_app.command("report")
def voicemail_report(
    since: Annotated[str, typer.Option(help="2026-12-01 or 2026-12-01T08:00 (local time).")] = "",
    until: Annotated[str, typer.Option(help="The first instant that does not count.")] = "",
    as_json: AsJson = False,
    server: Server = DEFAULT_SERVER,
    token: Token = "",
) -> None:
    """What boxes took in a stretch of time."""
    params = {"start_utc": utc_of(since), "end_utc": utc_of(until)}
    ask(server, token, as_json, "voicemail.report", params, _report)


@voicemail_app.command("boxes")
def boxes_list(as_json: AsJson = False, server: Server = DEFAULT_SERVER, token: Token = "") -> None:
    """Boxes, and how many messages are in them."""
    ask(server, token, as_json, "voicemail_box.list", {}, _boxes)


@voicemail_app.command("delete-box")
def box_delete(box: Box, as_json: AsJson = False, server: Server = DEFAULT_SERVER, token: Token = "") -> None:
    """Remove an empty box that nothing leads to."""
    ask(server, token, as_json, "voicemail_box.delete", {"box": box}, lambda done: f"{box} is removed")


def _page(page: VoicemailList) -> RenderableType:
    heads = ("message", "box", "caller", "left", "length", "state", "remark")
    rows = [
        (
            each.message_id,
            each.box,
            each.caller,
            instant_text(each.left_utc),
            duration_text(each.duration_s),
            each.state + (" !" if each.is_urgent else "") + (" called back" if each.called_back_utc else ""),
            each.remark,
        )
        for each in page.messages
    ]
    return rows_table(heads, rows, next_page(page.cursor))


def _message(message: MessageRecord) -> RenderableType:
    return facts_grid(
        [
            ("message", message.message_id),
            ("box", message.box),
            ("queue", message.queue),
            ("caller", f"{message.caller} {message.caller_name}".strip()),
            ("left", instant_text(message.left_utc)),
            ("length", duration_text(message.duration_s)),
            ("state", message.state),
            ("urgent", "yes" if message.is_urgent else ""),
            ("heard", f"{instant_text(message.heard_utc)} {message.heard_by}" if message.heard_utc else ""),
            (
                "called back",
                f"{instant_text(message.called_back_utc)} {message.called_back_by}" if message.called_back_utc else "",
            ),
            ("e-mail", message.email),
            ("remark", message.remark),
            ("error", message.error),
            ("file", message.path),
        ]
    )


def _report(report: VoicemailReport) -> RenderableType:
    heads = ("box", "queue", "left", "not heard", "called back", "length", "heard after")
    rows = [
        (
            each.box,
            each.queue,
            str(each.n_left),
            str(each.n_new),
            str(each.n_called_back),
            duration_text(each.total_s),
            duration_text(each.heard_after_s),
        )
        for each in report.boxes
    ]
    return rows_table(heads, rows)


def _boxes(page: BoxList) -> RenderableType:
    heads = ("box", "title", "queue", "number", "phones", "new", "heard", "PIN", "source")
    return rows_table(heads, [_box_row(each) for each in page.boxes])


def _box_row(box: BoxView) -> tuple[str, ...]:
    settings = box.settings
    return (
        box.box,
        settings.title,
        box.queue,
        settings.number,
        ", ".join(settings.extensions),
        str(box.n_new),
        str(box.n_heard),
        "yes" if box.has_pin else "no",
        box.source,
    )
