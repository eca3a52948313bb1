"""Every kind of phone as one small class: what it must be able to do in `test_matrix.py`, and how it does it.

What a peer hears is what the switch sends to its address (`Ears`); a peer whose audio cannot be read on the way, as a
browser's, says itself what it hears. No method waits for a time, each for what it is about.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.live.baresip import Baresip
from tests.live.control_client import Control
from tests.live.ears import Ears
from tests.live.netns import SWITCH, Namespace
from tests.live.our_phone import OurPhones
from tests.live.processes import wait_until
from tests.live.sipp import Sipp, play, receive, request, response, scenario, sdp, send
from tests.live.switch_process import PASSWORD


class Peer(ABC):
    """One phone, registered as `number`, that speaks the tone `hz`. It has one call at a time."""

    number: str
    hz: float
    address: str
    ears: Ears
    control: Control

    def prepare(self, role: str, steps: Sequence[str]) -> None:
        """Before a call: it will be its "caller" or "callee" and do these steps, in this order. Only a scripted peer
        must know beforehand."""
        self._n_digits = len(self.ears.digits(self.address))

    @abstractmethod
    def place(self, number: str) -> None:
        """Calls `number`."""

    @abstractmethod
    def answer(self) -> None:
        """Takes the call that comes."""

    @abstractmethod
    def wait_up(self) -> None:
        """Until the call is up on this side."""

    @abstractmethod
    def hold(self) -> None: ...

    @abstractmethod
    def resume(self) -> None: ...

    @abstractmethod
    def send_digits(self, digits: str) -> None: ...

    @abstractmethod
    def hang_up(self) -> None: ...

    @abstractmethod
    def transfer(self, number: str) -> None:
        """Blind, by the phone itself: the other party shall call `number`."""

    def consult(self, number: str) -> None:
        """Calls `number` meanwhile; the other party waits. By the API, as an agent's screen does it for a phone that
        cannot."""
        call_id, leg_id = self.leg()
        self._consult = self.control.call("consult.start", call_id=call_id, leg_id=leg_id, to=number)["consult_id"]

    def complete(self) -> None:
        """Hands the other party to whom it consulted, and is out."""
        self.control.call("consult.complete", consult_id=self._consult)

    @abstractmethod
    def wait_over(self) -> None:
        """Until the call is gone on this side, whoever ended it."""

    def leg(self) -> tuple[str, str]:
        """Its live leg: id of the call, id of the leg."""

        def find() -> tuple[str, str] | None:
            for call in self.control.call("call.list")["calls"]:
                for leg in call["legs"]:
                    if leg["name"] == self.number and leg["state"] != "ended":
                        return call["call_id"], leg["leg_id"]
            return None

        found = wait_until(find, f"a leg of {self.number}")
        assert found is not None
        return found

    def wait_hears(self, hz: float) -> None:
        self.ears.wait_hears(self.address, hz)

    def wait_hears_music(self, *not_hz: float) -> None:
        self.ears.wait_hears_music(self.address, *not_hz)

    def wait_digits(self, digits: str) -> None:
        """Until they have come, in this call."""

        def so_far() -> str:
            return self.ears.digits(self.address)[self._n_digits :]

        wait_until(lambda: so_far() == digits, lambda: f"{self.number} to get {digits!r}, got {so_far()!r}")


class BaresipPeer(Peer):
    def __init__(self, phone: Baresip, hz: float, ears: Ears, control: Control) -> None:
        self._phone = phone
        self.control = control
        self.number, self.hz, self.address, self.ears = phone.user, hz, phone.address, ears

    def place(self, number: str) -> None:
        self._phone.dial(f"sip:{number}@{SWITCH}")

    def answer(self) -> None:
        self._phone.wait_for("CALL_INCOMING")
        self._phone.accept()

    def wait_up(self) -> None:
        self._phone.wait_for("CALL_ESTABLISHED")

    def hold(self) -> None:
        self._phone.hold()

    def resume(self) -> None:
        self._phone.resume()

    def send_digits(self, digits: str) -> None:
        self._phone.send_digits(digits)

    def hang_up(self) -> None:
        self._phone.hang_up()

    def transfer(self, number: str) -> None:
        self._phone.command("transfer", f"sip:{number}@{SWITCH}")

    def wait_over(self) -> None:
        self._phone.wait_for("CALL_CLOSED")


class OurPeer(Peer):
    def __init__(self, phones: OurPhones, number: str, address: str, hz: float, ears: Ears, control: Control) -> None:
        phones.add(number, address, hz)
        self.control = control
        self._phones = phones
        self._n_events = 0
        self._call = ""
        self._n_calls = 0
        self.number, self.hz, self.address, self.ears = number, hz, address, ears

    def prepare(self, role: str, steps: Sequence[str]) -> None:
        super().prepare(role, steps)
        self._n_events = len(self._phones.events)

    def _wait(self, event: str, **fields: Any) -> dict[str, Any]:
        return self._phones.wait(event, after=self._n_events, phone=self.number, **fields)

    def _do(self, what: str, **fields: Any) -> None:
        self._phones.do(what, phone=self.number, call=self._call, **fields)

    def place(self, number: str) -> None:
        self._n_calls += 1
        self._number = number
        self._call = f"{self.number}-out-{self._n_calls}"
        self._do("call", number=number)

    def answer(self) -> None:
        self._call = self._wait("incoming")["call"]
        self._do("answer")

    def wait_up(self) -> None:
        self._wait("answered", call=self._call)

    def hold(self) -> None:
        self._do("hold")
        self._wait("held", call=self._call)

    def resume(self) -> None:
        self._do("resume")
        self._wait("resumed", call=self._call)

    def send_digits(self, digits: str) -> None:
        self._do("send_digits", digits=digits)

    def hang_up(self) -> None:
        self._do("hang_up")

    def transfer(self, number: str) -> None:
        self._do("transfer", number=number)

    def consult(self, number: str) -> None:
        self.hold()
        self._first, self._call = self._call, ""
        self.place(number)

    def complete(self) -> None:
        second, self._call = self._call, self._first
        self._do("transfer", number=self._number, replacing=second)

    def wait_over(self) -> None:
        self._wait("ended", call=self._call)


class SippPeer(Peer):
    """SIPp runs a scenario made of the steps of one call. Between two steps it waits for an INFO, which the switch
    sends it on behalf of the test (`call.dtmf`: its digits go by SIP INFO), so that it moves on when it shall."""

    def __init__(
        self, network: Namespace, folder: Path, control: Control, number: str, address: str, hz: float, ears: Ears
    ) -> None:
        self._network, self._folder, self.control = network, folder, control
        self._sipp: Sipp | None = None
        self.number, self.hz, self.address, self.ears = number, hz, address, ears
        self._register()

    def _register(self) -> None:
        text = request("REGISTER", user=self.number, cseq=1, in_dialog=False, extra="Expires: 3000")
        _, _, rest = text.partition("\n")
        first = f"REGISTER sip:{SWITCH} SIP/2.0\n{rest}".replace("[service]", self.number)
        again = first.replace("CSeq: 1 ", "CSeq: 2 ") + f"\n[authentication username={self.number} password={PASSWORD}]"
        steps = (send(first, retransmit=True), receive(401, attributes='auth="true"'))
        script = scenario("registers", *steps, send(again, retransmit=True), receive(200))
        self._start(script, remote=f"{SWITCH}:5060", options=("-auth_uri", SWITCH)).finished()

    def _start(self, script: str, **how: Any) -> Sipp:
        return Sipp(self._network, self._folder, script, local=self.address, **how)

    def prepare(self, role: str, steps: Sequence[str]) -> None:
        self._steps = list(steps)
        self._role = role
        self._cseq = 10
        pieces: list[str] = []
        for step in steps:
            pieces += self._piece(step)
        if not any(step == "hang_up" or step.startswith("transfer") for step in steps):
            pieces += [receive("BYE"), send(response(200, "OK", to_tag=False))]
        if role == "callee":
            self._sipp = self._start(scenario("callee", *self._taking(), *pieces))
        else:
            self._pieces = pieces

    def _taking(self) -> list[str]:
        keep = (
            '<ereg regexp=".*" search_in="hdr" header="From:" assign_to="1"/>'
            '<ereg regexp=".*" search_in="hdr" header="To:" assign_to="2"/>'
        )
        # SIPp wants every variable to be used.
        ringing = response(180, "Ringing", extra="X-Dialog: [$1] [$2]")
        return [
            receive("INVITE", action=keep),
            send(ringing),
            send(response(200, "OK"), sdp(), retransmit=True),
            receive("ACK"),
            play(self._folder, self.hz),
        ]

    def _calling(self, number: str) -> list[str]:
        first = request("INVITE", user=self.number, cseq=1, in_dialog=False)
        proof = f"[authentication username={self.number} password={PASSWORD}]"
        again = request("INVITE", user=self.number, cseq=2, in_dialog=False, extra=proof)
        return [
            send(first, sdp(), retransmit=True),
            receive(100, optional=True),
            receive(401, attributes='auth="true"'),
            send(request("ACK", user=self.number, cseq=1, in_dialog=False, back_to_invite=3)),
            send(again, sdp(), retransmit=True),
            *(receive(status, optional=True) for status in (100, 180, 183)),
            receive(200, attributes='rrs="true"'),
            send(request("ACK", user=self.number, cseq=2)),
            play(self._folder, self.hz),
        ]

    # -- the script ----------------------------------------------------------------------------------------------------

    def _request(self, method: str, *, cseq: int, extra: str = "") -> str:
        """A request of ours in the dialog, whichever side we are."""
        if self._role == "caller":
            return request(method, user=self.number, cseq=cseq, extra=extra)
        lines = [
            f"{method} sip:{SWITCH}:5060 SIP/2.0",
            "Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]",
            "From:[$2];tag=[pid]s[call_number]",
            "To:[$1]",
            "Call-ID: [call_id]",
            f"CSeq: {cseq} {method}",
            f"Contact: <sip:{self.number}@[local_ip]:[local_port];transport=[transport]>",
            "Max-Forwards: 70",
            extra,
        ]
        return "\n".join(line for line in lines if line)

    def _on_go(self) -> list[str]:
        return [receive("INFO"), send(response(200, "OK", to_tag=False))]

    def _piece(self, step: str) -> list[str]:
        self._cseq += 1
        name, _, digits = step.partition(":")
        match name:
            case "hold" | "resume":
                direction = "sendonly" if name == "hold" else "sendrecv"
                offer = send(
                    self._request("INVITE", cseq=self._cseq), sdp(direction, version=self._cseq), retransmit=True
                )
                answered = [receive(100, optional=True), receive(200), send(self._request("ACK", cseq=self._cseq))]
                return [*self._on_go(), offer, *answered]
            case "send_digits":
                pieces = self._on_go()
                for digit in digits:
                    body = f"Signal={digit}\n      Duration=120\n"
                    text = self._request("INFO", cseq=self._cseq)
                    pieces += [
                        send(text, body, retransmit=True).replace("application/sdp", "application/dtmf-relay"),
                        receive(200),
                    ]
                    self._cseq += 1
                return pieces
            case "get_digits":
                # By INFO, as its extension wants them; which ones is read off SIPp's log.
                return [piece for _ in digits for piece in self._on_go()]
            case "transfer":
                refer = self._request("REFER", cseq=self._cseq, extra=f"Refer-To: <sip:{digits}@{SWITCH}>")
                taken = [send(refer, retransmit=True), receive(202)]
                over = [send(response(200, "OK", to_tag=False))]
                return [*self._on_go(), *taken, *_any_number_of("NOTIFY", until="BYE"), *over]
            case "hang_up":
                return [*self._on_go(), send(self._request("BYE", cseq=self._cseq), retransmit=True), receive(200)]
        raise AssertionError(f"SIPp knows no step {step}")

    # -- the call ------------------------------------------------------------------------------------------------------

    def _go(self) -> None:
        """The next step."""
        call_id, leg_id = self.leg()
        self.control.call("call.dtmf", call_id=call_id, leg_id=leg_id, digits="1")

    def place(self, number: str) -> None:
        script = scenario("caller", *self._calling(number), *self._pieces)
        how = {"remote": f"{SWITCH}:5060", "service": number, "options": ("-auth_uri", f"{number}@{SWITCH}:5060")}
        self._sipp = self._start(script, **how)

    def answer(self) -> None:
        """As the script does."""

    def wait_up(self) -> None:
        """Its audio says so."""

    def hold(self) -> None:
        self._go()

    def resume(self) -> None:
        self._go()

    def send_digits(self, digits: str) -> None:
        self._go()

    def wait_digits(self, digits: str) -> None:
        assert self._sipp is not None
        sipp = self._sipp

        def so_far() -> str:
            got = [line for line in sipp.messages.splitlines() if line.startswith("Signal=")]
            return "".join(line[7:8] for line in got)

        wait_until(lambda: digits in so_far(), lambda: f"{self.number} to get {digits!r}, got {so_far()!r}")

    def hang_up(self) -> None:
        self._go()

    def transfer(self, number: str) -> None:
        self._go()

    def wait_over(self) -> None:
        assert self._sipp is not None
        self._sipp.finished()


def _any_number_of(method: str, *, until: str) -> list[str]:
    """Answers these requests as they come, until another one has come, which is not answered here."""
    return [
        '  <label id="1"/>',
        receive(until, optional=True, attributes='next="2"'),
        receive(method),
        send(response(200, "OK", to_tag=False), attributes='next="1"'),
        '  <label id="2"/>',
    ]
