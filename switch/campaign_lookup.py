"""What a campaign's numbers, attempts and decisions were (OUT-21): searched page by page."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from msgspec.structs import replace

from control.auth import Caller
from model import errors
from model.commands_campaign_view import (
    AttemptList,
    ListAttempts,
    ListNumbers,
    NumberList,
    NumberView,
    PacingList,
    ReadPacing,
)
from model.dialing import CampaignRecord
from storage.attempts import AttemptFilter
from storage.campaign_records import RecordFilter
from storage.errors import CursorError, UnavailableError
from switch.masking import mask_number

if TYPE_CHECKING:
    from switch.app import App

_HOUR_S = 3600.0


class CampaignLookup:
    def __init__(self, app: "App") -> None:
        self._app = app
        self._storage = app.storage

    async def numbers(self, command: ListNumbers, caller: Caller) -> NumberList:
        self._check(command.campaign)
        criteria = RecordFilter(
            campaign=command.campaign,
            statuses=tuple(command.statuses),
            results=tuple(command.results),
            list_name=command.list_name,
            number=command.number,
            is_suffix=command.is_suffix,
        )
        with readable():
            page = await self._storage.records.find(criteria, after=command.cursor, limit=command.limit)
        is_whole = self._app.gate.may(caller, "phone.view_full")
        shown = [each for record in page.items for each in _numbers_of(record, is_whole=is_whole)]
        return NumberList(numbers=shown, cursor=page.after)

    async def attempts(self, command: ListAttempts, caller: Caller) -> AttemptList:
        criteria = AttemptFilter(
            campaign=command.campaign,
            record_id=command.record_id,
            agent_id=command.agent_id,
            number=command.number,
            is_suffix=command.is_suffix,
            results=tuple(command.results),
            is_dropped=command.is_dropped,
            start_utc=command.start_utc,
            end_utc=command.end_utc,
        )
        with readable():
            page = await self._storage.attempts.find(criteria, after=command.cursor, limit=command.limit)
        if self._app.gate.may(caller, "phone.view_full"):
            return AttemptList(attempts=page.items, cursor=page.after)
        masked = [replace(each, number=mask_number(each.number)) for each in page.items]
        return AttemptList(attempts=masked, cursor=page.after)

    async def pacing(self, command: ReadPacing, caller: Caller) -> PacingList:
        self._check(command.campaign)
        core = self._app.core
        start_utc = command.start_utc or core.env.wall(core.dialer.now()) - _HOUR_S
        with readable():
            page = await self._storage.campaigns.find_pacing(
                command.campaign, start_utc, command.end_utc, after=command.cursor, limit=command.limit
            )
        return PacingList(entries=page.items, cursor=page.after)

    def _check(self, campaign: str) -> None:
        if campaign not in self._app.core.directory.campaigns:
            raise errors.NoSuchCampaign(f"no campaign {campaign}")


@contextmanager
def readable() -> Iterator[None]:
    """What the database refuses, as the API tells it."""
    try:
        yield
    except CursorError as error:
        raise errors.InvalidValue(str(error), field="cursor") from None
    except UnavailableError as error:
        raise errors.StorageUnavailable(str(error)) from None


def _numbers_of(record: CampaignRecord, *, is_whole: bool) -> Iterator[NumberView]:
    for position, each in enumerate(record.numbers):
        yield NumberView(
            record_id=record.record_id,
            list_name=record.list_name,
            name=record.name,
            number=each.number if is_whole else mask_number(each.number),
            label=each.label,
            position=position,
            status=record.status,
            reason=record.reason,
            is_calling=record.status == "dialing" and record.last_number == each.number,
            is_bad=each.is_bad,
            n_attempts=each.n_attempts,
            last_utc=each.last_utc,
            last_result=each.last_result,
            next_utc=record.next_utc,
            deferred=record.deferred,
            owner=record.owner,
            agent_id=record.agent_id,
        )
