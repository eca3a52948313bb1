"""Where a leg's RTP may come from and go to (TRUST §2). Pure.

The address of the SDP is the peer's until RTP arrives from the signalling source (`learn_from`, any port): that
replaces it once per configuration, unless RTP of the accepted source came before. Later the address changes only for
`PROOF_PACKETS` consecutive packets from an allowed host that continue the stream's SSRC and sequence numbers while the
accepted source is silent (a NAT that gave the peer a new port). Everything else is a stranger's.
"""

from enum import Enum

Address = tuple[str, int]

PROOF_PACKETS = 5
MAX_GAP = 500
"""Sequence numbers that may be missing between the old address and the new one: 10 s of 20 ms packets."""


class Verdict(Enum):
    ACCEPT = "accept"
    LEARN = "learn"
    """Accept, and `source` or `destination` is now another one."""
    REJECT = "reject"


class AddressGuard:
    """Judges the packets that did not come over the leg's connected socket."""

    __slots__ = ("_learn_from", "_may_learn", "_next_ahead", "_proof", "_proof_at", "_remote", "destination", "source")

    def __init__(self) -> None:
        self._remote: Address | None = None
        self._learn_from = ""
        self._may_learn = False
        self._proof = 0
        self._proof_at: tuple[Address, int] | None = None
        self._next_ahead = 0
        self.source: Address | None = None
        """Whose RTP is taken."""
        self.destination: Address | None = None
        """Where ours goes."""

    def configure(self, remote: Address | None, learn_from: str) -> None:
        """A new or repeated configuration: what was learned stays while the peer's own words are the same."""
        if remote != self._remote or learn_from != self._learn_from:
            self.source = self.destination = remote
        self._remote = remote
        self._learn_from = learn_from
        self._may_learn = True
        self._proof = 0

    @property
    def configured(self) -> tuple[Address | None, str, bool]:
        """The peer's own address and the signalling source, and whether they may still be replaced by what comes."""
        return self._remote, self._learn_from, self._may_learn

    def go_on(
        self,
        remote: Address | None,
        learn_from: str,
        source: Address | None,
        destination: Address | None,
        *,
        may_learn: bool,
    ) -> None:
        """What another worker had learned, when the peer was configured there as it is here."""
        if (remote, learn_from) == (self._remote, self._learn_from):
            self.source, self.destination, self._may_learn = source, destination, may_learn

    @property
    def allowed_hosts(self) -> set[str]:
        """Whose packets may ever be taken."""
        return {host for host in (self._learn_from, self._remote[0] if self._remote is not None else "") if host}

    def is_allowed_host(self, host: str) -> bool:
        return bool(host) and (host == self._learn_from or (self._remote is not None and host == self._remote[0]))

    def may_learn_from(self, host: str) -> bool:
        return bool(host) and host == self._learn_from

    def judge(self, address: Address, ssrc: int, seq: int, *, has_received: bool, stream: tuple[int, int]) -> Verdict:
        """Judges one RTP packet. `has_received`: the accepted source was heard since `configure`; `stream`: the SSRC
        (-1: none) and highest sequence number of what is accepted."""
        if address == self.source:
            return Verdict.ACCEPT
        if not self.is_allowed_host(address[0]):
            return Verdict.REJECT
        if self._may_learn and not has_received:
            self._adopt(address, may_redirect=self.may_learn_from(address[0]))
            return Verdict.LEARN
        if self._continues(address, ssrc, seq, stream):
            self._adopt(address, may_redirect=True)
            return Verdict.LEARN
        return Verdict.REJECT

    def _continues(self, address: Address, ssrc: int, seq: int, stream: tuple[int, int]) -> bool:
        current_ssrc, highest = stream
        if current_ssrc < 0 or ssrc != current_ssrc:
            self._proof = 0
            return False
        # `highest` moves as soon as the accepted source is heard again, and the proof starts anew.
        ahead = (seq - highest) & 0xFFFF
        if self._proof and self._proof_at == (address, highest) and ahead == self._next_ahead:
            self._proof += 1
            self._next_ahead += 1
        elif 0 < ahead <= MAX_GAP:
            self._proof = 1
            self._next_ahead = ahead + 1
            self._proof_at = (address, highest)
        else:
            self._proof = 0
        return self._proof >= PROOF_PACKETS

    def _adopt(self, address: Address, *, may_redirect: bool) -> None:
        self.source = address
        if may_redirect or self.destination is None:
            self.destination = address
        self._may_learn = False
        self._proof = 0
