"""A phone that watches, publishes and writes messages, in raw text: challenged, answered, and told by NOTIFYs."""

import asyncio
import hashlib
import re
from typing import Any

from sip.flow import Flow
from tests.harness.peer import RawPeer, Received
from tests.harness.sim_switch import HOST, PASSWORD, SERVER
from tests.harness.simnet import SimNet


class Watcher(RawPeer):
    """Extension `number` at `host`; `ask` sends a request with credentials and returns the final answer."""

    def __init__(self, net: SimNet, host: str, number: str, *, password: str = PASSWORD, **attach: Any) -> None:
        super().__init__(net, host, **attach)
        self.number = number
        self.password = password
        self.target: Flow | None = SERVER
        self.cseq = 0

    async def ask(self, method: str, to: str, headers: str = "", body: str = "", **how: str) -> Received:
        """The final answer; a 401 is answered first. `how` as in `ask_once`."""
        answer = await self.ask_once(method, to, headers, body, **how)
        if answer.status != 401:
            return answer
        # The last is MD5 (to the tersest questions without saying so).
        challenge = answer.all("WWW-Authenticate")[-1]
        nonce = re.search(r'nonce="([^"]+)"', challenge)[1]
        realm = re.search(r'realm="([^"]+)"', challenge)[1]
        uri = f"sip:{to}@{HOST}{how.get('params', '')}"

        def md5(text: str) -> str:
            return hashlib.md5(text.encode()).hexdigest()

        secret = md5(f"{self.number}:{realm}:{self.password}")
        proof = md5(f"{secret}:{nonce}:00000001:abc:auth:{md5(f'{method}:{uri}')}")
        line = (
            f'Authorization: Digest username="{self.number}", realm="{realm}", nonce="{nonce}", uri="{uri}", '
            f'qop=auth, nc=00000001, cnonce="abc", algorithm=MD5, response="{proof}"'
        )
        return await self.ask_once(method, to, f"{line}\n{headers}", body, **how)

    async def ask_once(
        self,
        method: str,
        to: str,
        headers: str = "",
        body: str = "",
        *,
        to_tag: str = "",
        params: str = "",
        contact: str = "",
    ) -> Received:
        """One request without credentials, and its final answer, which an INVITE acknowledges when it is a refusal.
        `params` stand behind the Request-URI."""
        self.cseq += 1
        self.new_branch()
        tag = f";tag={to_tag}" if to_tag else ""
        extra = "".join(f"{line}\n" for line in headers.split("\n") if line)
        contact = contact or f"<sip:{self.number}@{{host}}:{{port}};transport={self.transport}>"
        start = (
            f"sip:{to}@{HOST}{params} SIP/2.0\nVia: SIP/2.0/{{transport}} {{host}}:{{port}};branch={{branch}};rport\n"
        )
        # What a phone says of itself leaves room for a challenge: strangers get no longer answers than questions.
        agent = "User-Agent: A phone of the tests that says what it is\n"
        ours = f"Max-Forwards: 70\n{agent}From: <sip:{self.number}@{HOST}>;tag={{tag}}\nCall-ID: {{call_id}}\n"
        self.send(
            f"{method} {start}{ours}To: <sip:{to}@{HOST}>{tag}\nCSeq: {self.cseq} {method}\nContact: {contact}\n"
            f"{extra}Content-Length: {{length}}\n\n{body}"
        )
        answer = await self.expect(rf"^SIP/2.0 [2-6]\d\d .*CSeq {self.cseq} {method}\]", ignore=r"^SIP/2.0 1")
        if method == "INVITE" and answer.status >= 300:
            self.send(f"ACK {start}{ours}{{last:To}}\nCSeq: {self.cseq} ACK\nContent-Length: 0\n")
        return answer

    def calls(self, to: str, params: str, body: str) -> "asyncio.Task[Received]":
        """Calls; the task is the final answer."""
        headers = "Content-Type: application/sdp"
        return asyncio.create_task(self.ask("INVITE", to, headers, body, params=params))

    async def subscribe(self, to: str, event: str, expires: int = 600, headers: str = "") -> tuple[Received, Received]:
        """Subscribes anew: (200, first NOTIFY, answered)."""
        self.new_call()
        answer = await self.ask("SUBSCRIBE", to, f"Event: {event}\nExpires: {expires}\n{headers}")
        assert answer.status == 200, answer.text
        return answer, await self.notified()

    async def notified(self, status: int = 200, headers: str = "", *, within_s: float = 200.0) -> Received:
        """The next NOTIFY, answered with `status`."""
        notify = await self.expect(r"^NOTIFY ", within_s=within_s)
        self.respond(notify, status, headers=headers)
        return notify

    async def register(self, expires: int = 600, contact: str = "", headers: str = "") -> Received:
        self.new_call()
        return await self.ask("REGISTER", self.number, f"Expires: {expires}\n{headers}")
