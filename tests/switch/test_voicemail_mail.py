"""switch/voicemail_mail.py with a real SMTP conversation on loopback: what is written, and what becomes of messages
that the server refuses, cannot take now, or takes after it was away."""

import asyncio
from collections.abc import Awaitable, Callable
from email import message_from_bytes, policy
from pathlib import Path

import msgspec
import pytest

from model.records import MessageRecord
from model.voicemail import VoicemailBox
from switch import voicemail_mail
from switch.config_email import Email
from switch.voicemail_mail import VoicemailMail

BOX = VoicemailBox(name="office", title="办公室", email=("a@example.net", "b@example.net"))


class Server:
    """Speaks as much SMTP as is needed. `answers` are the replies to RCPT TO, then "250"."""

    def __init__(self) -> None:
        self.mails: list[bytes] = []
        self.recipients: list[str] = []
        self.answers: list[str] = []
        self.n_connections = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.n_connections += 1

        def say(line: str) -> None:
            writer.write(f"{line}\r\n".encode())

        say("220 here")
        while line := (await reader.readline()).decode().strip():
            verb = line.upper().split(":")[0].split()[0]
            if verb == "RCPT":
                answer = self.answers.pop(0) if self.answers else "250 good"
                if answer.startswith("250"):
                    self.recipients.append(line.partition("<")[2].rstrip(">"))
                say(answer)
            elif verb == "DATA":
                say("354 go on")
                self.mails.append(await reader.readuntil(b"\r\n.\r\n"))
                say("250 taken")
            elif verb == "QUIT":
                say("221 bye")
                break
            else:
                say("250 good")
        writer.close()


def scenario(steps: Callable[["Desk", Server], Awaitable[None]], monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    async def main() -> None:
        server = Server()
        listening = await asyncio.start_server(server.serve, "127.0.0.1", 0)
        port = listening.sockets[0].getsockname()[1]
        desk = Desk(port, folder)
        task = asyncio.create_task(desk.mail.run())
        try:
            await asyncio.wait_for(steps(desk, server), 20.0)
        finally:
            task.cancel()
            listening.close()

    monkeypatch.setattr(voicemail_mail, "PAUSES_S", (0.01, 0.02))
    asyncio.run(main())


class Desk:
    def __init__(self, port: int, folder: Path) -> None:
        self.box: VoicemailBox | None = BOX
        self.done: asyncio.Queue[tuple[str, str]] = asyncio.Queue()
        self.told: list[object] = []
        self.folder = folder
        settings = Email(host="127.0.0.1", port=port, security="none", sender="pbx@example.net", timeout_s=5)
        self.mail = VoicemailMail(
            settings,
            "Asia/Shanghai",
            lambda message: self.box,
            lambda message_id, error: self.done.put_nowait((message_id, error)),
            self.told.append,
        )

    def message(self, **changes: object) -> MessageRecord:
        path = self.folder / "m1.wav"
        path.write_bytes(b"RIFF....WAVE")
        made = MessageRecord(
            message_id="m1",
            box="office",
            call_id="c1",
            path=str(path),
            caller="13800001111",
            left_utc=1_767_225_600.0,
            duration_s=65.0,
            size=12,
            state="new",
        )
        return msgspec.structs.replace(made, **changes)


def test_a_message_is_told_with_its_sound(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    async def steps(desk: Desk, server: Server) -> None:
        assert desk.mail.is_on
        desk.mail.send(desk.message())
        assert await desk.done.get() == ("m1", "")
        assert server.recipients == ["a@example.net", "b@example.net"]
        mail = message_from_bytes(server.mails[0], policy=policy.default)
        assert mail["Subject"] == "新留言 来自 13800001111 (1:05)"
        assert (mail["From"], mail["To"]) == ("pbx@example.net", "a@example.net, b@example.net")
        text = mail.get_body().get_content()  # type: ignore[attr-defined]
        assert "办公室" in text
        assert "2026-01-01 08:00:00" in text
        (sound,) = mail.iter_attachments()  # type: ignore[attr-defined]
        assert sound.get_content_type() == "audio/x-wav"
        assert sound.get_content() == b"RIFF....WAVE"

    scenario(steps, monkeypatch, tmp_path)


def test_without_the_sound_and_when_the_file_is_gone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    async def steps(desk: Desk, server: Server) -> None:
        desk.box = msgspec.structs.replace(BOX, email_has_audio=False, language="en")
        desk.mail.send(desk.message())
        await desk.done.get()
        desk.box = msgspec.structs.replace(BOX, language="en")
        desk.mail.send(desk.message(path=str(tmp_path / "none.wav")))
        await desk.done.get()
        first, second = (message_from_bytes(each, policy=policy.default) for each in server.mails)
        assert first["Subject"] == "New message from 13800001111 (1:05)"
        assert not [*first.iter_attachments()]  # type: ignore[attr-defined]
        assert "No such file" in second.get_content()  # type: ignore[attr-defined]

    scenario(steps, monkeypatch, tmp_path)


def test_a_server_that_cannot_take_it_now_is_asked_again(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    async def steps(desk: Desk, server: Server) -> None:
        server.answers = ["451 later", "451 later"]
        desk.mail.send(desk.message())
        assert await desk.done.get() == ("m1", "")
        assert len(server.mails) == 1

    scenario(steps, monkeypatch, tmp_path)


def test_one_that_is_refused_for_good_is_told_and_the_next_goes_out(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    async def steps(desk: Desk, server: Server) -> None:
        server.answers = ["550 nobody of that name", "550 nobody of that name"]
        desk.mail.send(desk.message())
        message_id, error = await desk.done.get()
        assert message_id == "m1"
        assert "550" in error
        assert [each.message_id for each in desk.told] == ["m1"]  # type: ignore[attr-defined]
        assert server.n_connections == 1
        desk.mail.send(desk.message(message_id="m2"))
        assert await desk.done.get() == ("m2", "")

    scenario(steps, monkeypatch, tmp_path)


def test_a_server_that_stays_away_is_given_up(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    async def steps(desk: Desk, server: Server) -> None:
        desk.mail._settings = msgspec.structs.replace(desk.mail._settings, port=9)
        desk.mail.send(desk.message())
        message_id, error = await desk.done.get()
        assert message_id == "m1"
        assert error
        assert len(desk.told) == 1

    scenario(steps, monkeypatch, tmp_path)


def test_a_box_that_nobody_is_told_of_any_more(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    async def steps(desk: Desk, server: Server) -> None:
        desk.box = None
        desk.mail.send(desk.message())
        assert await desk.done.get() == ("m1", "")
        assert server.mails == []

    scenario(steps, monkeypatch, tmp_path)
