"""What is kept of a campaign over a restart: its state, what was learnt and counted, whom nobody was there for."""

from typing import Any

import msgspec

from dialer.actions import StoreCampaign
from dialer.ledger import Ledger
from dialer.pacing_model import PacingModel
from dialer.state import CampaignRun, Core
from model.campaigns import CampaignState

STORE_EVERY_S = 5.0
_FORGET_DROPS_S = 86_400.0 * 60
"""The longest ban that can be configured."""


class Document(msgspec.Struct, kw_only=True):
    version: int = 1
    since_utc: float = 0.0
    reason: str = ""
    started_for_utc: float = 0.0
    turn: int = 0
    model: dict[str, Any] = {}
    ledger: dict[str, Any] = {}
    dropped: dict[str, float] = {}


def store(core: Core, run: CampaignRun, now: float) -> None:
    run.is_dirty, run.stored_at = False, now
    numbers = {number: core.dropped[number] for number in run.dropped if number in core.dropped}
    document = Document(
        since_utc=run.since_utc,
        reason=run.reason,
        started_for_utc=run.started_for_utc,
        turn=run.turn,
        model=run.model.to_plain(now),
        ledger=run.ledger.to_plain(),
        dropped=numbers,
    )
    core.out.append(StoreCampaign(campaign=run.name, state=run.state, document=msgspec.json.encode(document)))


def store_if_due(core: Core, run: CampaignRun, now: float) -> None:
    if run.is_dirty and now >= run.stored_at + STORE_EVERY_S:
        store(core, run, now)


def restore(core: Core, run: CampaignRun, state: CampaignState, document: bytes, now: float) -> bool:
    """False: the document cannot be read; the campaign has its state and begins to learn and to count anew."""
    run.state = state
    try:
        kept = msgspec.json.decode(document, type=Document)
        model, ledger = PacingModel.from_plain(kept.model, now), Ledger.from_plain(kept.ledger)
    except (ValueError, KeyError, TypeError):
        return False
    run.model, run.ledger = model, ledger
    run.since_utc, run.reason, run.started_for_utc = kept.since_utc, kept.reason, kept.started_for_utc
    run.turn = kept.turn
    run.dropped = set(kept.dropped)
    core.dropped |= kept.dropped
    return True


def forget_drops(core: Core, now: float, wall: float) -> None:
    """Of long ago, once in an hour."""
    if now < core.forgot_at + 3600.0:
        return
    core.forgot_at = now
    gone = {number for number, at_utc in core.dropped.items() if at_utc + _FORGET_DROPS_S < wall}
    for number in gone:
        del core.dropped[number]
    for run in core.runs.values() if gone else ():
        run.dropped -= gone
