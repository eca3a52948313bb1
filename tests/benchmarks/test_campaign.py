"""The accounts of benchmarks/campaign.py find what they are to find."""

from collections import Counter

from benchmarks.campaign_carrier import BUSY, HUMAN, MACHINE, SHARES, SILENT, customers
from benchmarks.campaign_verdict import judge
from benchmarks.campaign_wire import Wire

SWITCH, CARRIER, DESK = 5060, 5080, 6001
PERSON = f"1380000000{HUMAN}"


class Line:
    """Writes messages onto a wire."""

    def __init__(self) -> None:
        self.wire = Wire(CARRIER, {DESK: "a1"})
        self._n = 0

    def dial(self, number: str, at: float, status: int = 0, after_s: float = 1.0) -> str:
        """To the carrier, which answers so; the Call-ID."""
        call_id = self._begin(f"INVITE sip:{number}@carrier SIP/2.0\r\nFrom: <sip:021@x>", SWITCH, CARRIER, at)
        if status:
            self.say(call_id, f"SIP/2.0 {status} So", "INVITE", CARRIER, SWITCH, at + after_s)
        return call_id

    def offer(self, number: str, at: float, answered: float = 0.0) -> str:
        head = f"INVITE sip:8001@desk SIP/2.0\r\nFrom: <sip:+86{number}@x>"
        call_id = self._begin(head, SWITCH, DESK, at)
        if answered:
            self.say(call_id, "SIP/2.0 200 OK", "INVITE", DESK, SWITCH, answered, "m=audio 7000 RTP/AVP 0\r\n")
        return call_id

    def bye(self, call_id: str, at: float, source: int = CARRIER) -> None:
        self.say(call_id, "BYE sip:x SIP/2.0", "BYE", source, SWITCH, at)

    def say(self, call_id: str, head: str, method: str, source: int, target: int, at: float, body: str = "") -> None:
        text = f"{head}\r\nCall-ID: {call_id}\r\nCSeq: 1 {method}\r\n\r\n{body}"
        self.wire.take(at, source, target, text.encode())

    def _begin(self, head: str, source: int, target: int, at: float) -> str:
        self._n += 1
        call_id = f"c{self._n}"
        self.say(call_id, head, "INVITE", source, target, at)
        return call_id


def attempt(attempt_id: str, number: str, result: str, **more: object) -> dict[str, object]:
    """As it is stored."""
    known = {"attempt_id": attempt_id, "number": f"+86{number}", "result": result, "cause": "NORMAL_CLEARING"}
    return known | {"is_dropped": False, "started_utc": 1.0, "ended_utc": 2.0} | more


def judged(line: Line, *stored: dict[str, object], records: tuple[dict[str, object], ...] = (), quiet: str = ""):
    """`quiet`: attempt of which nothing was told, and no call came."""
    began = [each for each in stored if each["attempt_id"] != quiet]
    told = [{"event": event, **each} for each in began for event in ("attempt.started", "attempt.ended")]
    calls = {each["attempt_id"] for each in began}
    return judge(told, stored, line.wire, records, calls, n_agents=1, lasted_s=10.0)


def test_customers_are_mixed_in_their_shares():
    numbers = customers(100)
    assert len(set(numbers)) == 100
    kinds = Counter(number[-1] for number in numbers)
    assert all(abs(kinds[kind] - 100 * share) <= 1 for kind, share in SHARES.items())
    assert {number[-1] for number in numbers[:20]} == set(SHARES)


def test_a_number_in_flight_or_left_alone_too_shortly_is_found():
    line = Line()
    line.dial(f"1380000000{BUSY}", 0.0, 486)
    line.dial(f"1380000000{BUSY}", 10.0, 486)
    line.dial(f"1380000001{BUSY}", 0.0, 486)
    line.dial(f"1380000001{BUSY}", 60.0, 486)
    line.dial(f"1380000002{SILENT}", 0.0)
    line.dial(f"1380000002{SILENT}", 90.0)
    wait_s = {"busy": 20.0}
    assert line.wire.dialled_twice(lambda call: wait_s.get(call.result(8.0), 0.0)) == [
        f"1380000000{BUSY}",
        f"1380000002{SILENT}",
    ]


def test_a_person_is_served_by_whom_the_wire_shows():
    line = Line()
    call = line.dial(PERSON, 0.0, 200)
    line.offer(PERSON, 3.0, 3.1)
    line.bye(call, 9.0)
    line.bye("c2", 9.1, SWITCH)
    other = line.dial(f"1380000001{HUMAN}", 0.0, 200)
    line.bye(other, 5.0)
    lost = attempt("t2", f"1380000001{HUMAN}", "dropped", is_dropped=True)
    found = judged(line, attempt("t1", PERSON, "human"), lost)
    assert (found.answered, found.connected) == (2, 1)
    assert (found.abandon_pct, found.abandon_pct_on_wire) == (50.0, 50.0)
    assert found.results_match
    assert (found.unaccounted, found.dialled_twice, found.offered_twice) == (0, 0, 0)


def test_what_was_told_otherwise_than_it_was_is_found():
    line = Line()
    line.dial(f"1380000000{BUSY}", 0.0, 486)
    assert not judged(line, attempt("t1", f"1380000000{BUSY}", "no_answer")).results_match
    line = Line()
    line.bye(line.dial(f"1380000000{MACHINE}", 0.0, 200), 4.0)
    assert not judged(line, attempt("t1", f"1380000000{MACHINE}", "human")).results_match
    assert judged(line, attempt("t1", f"1380000000{MACHINE}", "machine")).results_match


def test_calls_without_attempt_and_records_without_result_are_counted():
    line = Line()
    line.dial(f"1380000000{BUSY}", 0.0, 486)
    untouched = {"record_id": "r1", "status": "new", "last_result": ""}
    busy = {"record_id": "r2", "status": "retry_wait", "last_result": "busy"}
    found = judged(line, records=(untouched, busy))
    assert (found.unaccounted, found.records_without_result) == (1, 1)


def test_what_was_given_up_before_it_was_dialled_is_no_attempt():
    line = Line()
    line.dial(f"1380000000{BUSY}", 20.0, 486)
    stored = attempt("t1", f"1380000000{BUSY}", "cancelled"), attempt("t2", f"1380000000{BUSY}", "busy")
    found = judged(line, *stored, quiet="t1")
    assert (found.attempts, found.not_dialled, found.unaccounted, found.results_match) == (1, 1, 0, True)
    assert judged(line, *stored).unaccounted == 1


def test_an_agent_with_two_at_a_time_is_found():
    line = Line()
    line.offer(PERSON, 1.0, 1.1)
    line.offer(f"1380000001{HUMAN}", 5.0)
    assert line.wire.offered_twice() == ["a1"]
