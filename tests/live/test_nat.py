"""A baresip behind a real router (Linux, MASQUERADE): registering, calls both ways with audio, a router that forgets
its mappings in the middle of a call and makes others.

Every kind of NAT, and the switch behind one, in virtual time: tests/scenarios/test_nat.py.
"""

from tests.live.baresip import Baresip
from tests.live.conftest import Bed
from tests.live.processes import wait_until
from tests.live.router import Router
from tests.live.switch_process import PASSWORD, SwitchProcess, extension
from tests.live.test_phones import A_HZ, B_HZ, add_phone, connect, wait_heard


def phone_behind(bed: Bed, router: Router, user: str, hz: float, regint_s: int) -> Baresip:
    """A registered phone of extension `user` behind the router."""
    account = f";auth_pass={PASSWORD};regint={regint_s}"
    phone = bed.phone(user, place=(router.inside, router.address), hz=hz, account=account)
    phone.wait_for_line("[1 binding]")
    return phone


def where(switch: SwitchProcess, user: str) -> str:
    [shown] = switch.control.call("registration.list", extension=user)["registrations"]
    return str(shown["address"])


def test_calls_both_ways_through_a_router_that_gives_new_ports_in_mid_call(bed: Bed) -> None:
    switch = bed.switch(sip={"min_expires_s": 5}, extension=[extension("1001"), extension("1002")])
    router = Router(bed.network)
    a = add_phone(bed, "1001", A_HZ)
    b = phone_behind(bed, router, "1002", B_HZ, 10)
    assert where(switch, "1002").startswith(f"udp:{router.outside}:")
    for caller, callee in ((a, b), (b, a)):
        connect(caller, callee)
        wait_heard(a, B_HZ)
        wait_heard(b, A_HZ)
        if caller is b:
            break
        caller.hang_up()
        callee.wait_for("CALL_CLOSED")

    before = where(switch, "1002")
    router.rebind()
    n_a, n_b = (sum(wav.seconds for wav in phone.heard()) for phone in (a, b))
    wait_heard(a, B_HZ)
    wait_heard(b, A_HZ)
    # It is the audio of after that: both go on being heard, though every port is another one.
    wait_until(lambda: sum(wav.seconds for wav in a.heard()) > n_a + 2, lambda: f"{a.user} to hear on")
    wait_until(lambda: sum(wav.seconds for wav in b.heard()) > n_b + 2, lambda: f"{b.user} to hear on")
    wait_heard(a, B_HZ)
    wait_heard(b, A_HZ)
    wait_until(lambda: where(switch, "1002") != before, lambda: f"another port than {before}")
    a.hang_up()
    b.wait_for("CALL_CLOSED")
