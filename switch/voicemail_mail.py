"""Tells people of new messages by e-mail (XREC-09), beside the calls: one after the other, tried again while the server
is away. What could not be sent when the switch stops is sent after the next start."""

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from email.message import EmailMessage
from email.utils import format_datetime, make_msgid
from pathlib import Path

import aiosmtplib

from model.commands_voicemail import MessageNotSent
from model.records import MessageRecord
from model.voicemail import VoicemailBox
from switch.config_email import Email
from switch.days import zone_of

log = logging.getLogger(__name__)

MAX_WAITING = 10_000
MAX_AUDIO = 20 << 20
PAUSES_S = (10.0, 60.0, 300.0, 1800.0, 3600.0)
"""After each try that failed; a server that is away longer than all of them is given up."""
_SUBJECTS = {"zh": "新留言 来自 {caller} ({length})", "en": "New message from {caller} ({length})"}
_BODIES = {
    "zh": "信箱: {box}\n来电: {caller}\n时间: {left}\n时长: {length}\n编号: {id}\n",
    "en": "Box: {box}\nCaller: {caller}\nReceived: {left}\nLength: {length}\nId: {id}\n",
}

Deliver = Callable[[EmailMessage], Awaitable[None]]
"""Raises aiosmtplib.SMTPException or OSError."""


class VoicemailMail:
    """One per switch; `run` is its task. `find` gives the box of a message, `done` is told (message id, error)."""

    def __init__(
        self,
        settings: Email,
        time_zone: str,
        find: Callable[[MessageRecord], VoicemailBox | None],
        done: Callable[[str, str], None],
        publish: Callable[[MessageNotSent], None],
        deliver: Deliver | None = None,
    ) -> None:
        self._settings = settings
        self._zone = zone_of(time_zone)
        self._find = find
        self._done = done
        self._publish = publish
        self._deliver = deliver or self._by_smtp
        self._waiting: deque[MessageRecord] = deque()
        self._has_some = asyncio.Event()

    @property
    def is_on(self) -> bool:
        return bool(self._settings.host)

    def send(self, message: MessageRecord) -> None:
        """Never waits."""
        if len(self._waiting) >= MAX_WAITING:
            self._give_up(message, f"{MAX_WAITING} messages wait to be sent")
            return
        self._waiting.append(message)
        self._has_some.set()

    async def run(self) -> None:
        """For ever."""
        while True:
            await self._has_some.wait()
            while self._waiting:
                await self._send(self._waiting[0])
                self._waiting.popleft()
            self._has_some.clear()

    async def _send(self, message: MessageRecord) -> None:
        box = self._find(message)
        if box is None or not box.email:
            self._done(message.message_id, "")
            return
        mail = await asyncio.to_thread(self._written, message, box)
        error = ""
        for pause_s in (0.0, *PAUSES_S):
            await asyncio.sleep(pause_s)
            try:
                await self._deliver(mail)
            except (aiosmtplib.SMTPException, OSError, ValueError) as failure:
                error = str(failure)[:200] or type(failure).__name__
                if _is_final(failure):
                    break
                log.warning("! message %s is not sent by e-mail yet: %s", message.message_id, error)
                continue
            self._done(message.message_id, "")
            return
        self._give_up(message, error)

    def _give_up(self, message: MessageRecord, error: str) -> None:
        log.error("x message %s is not sent by e-mail: %s", message.message_id, error)
        self._done(message.message_id, error)
        self._publish(MessageNotSent(message_id=message.message_id, box=message.box, queue=message.queue, error=error))

    def _written(self, message: MessageRecord, box: VoicemailBox) -> EmailMessage:
        language = box.language.partition("-")[0]
        left = datetime.fromtimestamp(message.left_utc, self._zone)
        minutes, seconds = divmod(round(message.duration_s), 60)
        texts = {
            "box": box.title or box.name,
            "caller": message.caller or "anonymous",
            "left": left.strftime("%Y-%m-%d %H:%M:%S %Z"),
            "length": f"{minutes}:{seconds:02}",
            "id": message.message_id,
        }
        mail = EmailMessage()
        mail["From"] = self._settings.sender
        mail["To"] = ", ".join(box.email)
        mail["Subject"] = _SUBJECTS.get(language, _SUBJECTS["en"]).format(**texts)
        mail["Date"] = format_datetime(datetime.now(UTC))
        mail["Message-ID"] = make_msgid(message.message_id, self._settings.sender.rpartition("@")[2] or "ringback")
        text = _BODIES.get(language, _BODIES["en"]).format(**texts)
        audio = b""
        if box.email_has_audio:
            try:
                audio = Path(message.path).read_bytes() if message.size <= MAX_AUDIO else b""
            except OSError as error:
                text += f"\n{error.strerror}: {message.path}\n"
        mail.set_content(text)
        if audio:
            mail.add_attachment(audio, maintype="audio", subtype="x-wav", filename=f"{message.message_id}.wav")
        return mail

    async def _by_smtp(self, mail: EmailMessage) -> None:
        settings = self._settings
        password = None
        if settings.password_file:
            password = (await asyncio.to_thread(Path(settings.password_file).read_text)).strip()
        refused, _ = await aiosmtplib.send(
            mail,
            hostname=settings.host,
            port=settings.port,
            username=settings.username or None,
            password=password,
            use_tls=settings.security == "tls",
            start_tls=settings.security == "starttls",
            timeout=settings.timeout_s,
        )
        for address, answer in refused.items():
            log.warning("! %s takes no e-mail: %s", address, answer)


def _is_final(failure: Exception) -> bool:
    """Whether trying again changes nothing (RFC 5321 §4.2.1: 5yz)."""
    match failure:
        case aiosmtplib.SMTPRecipientsRefused(recipients=recipients):
            return all(each.code >= 500 for each in recipients)
        case aiosmtplib.SMTPResponseException(code=code):
            return code >= 500
        case _:
            return False
