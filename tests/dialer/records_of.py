"""Records, campaigns and rule books for tests of the dialler."""

from collections.abc import Container, Iterable, Mapping
from typing import Any

from dialer.contact_hours import ContactHours
from dialer.dnc import DncBook
from dialer.rules import RuleBook
from model.calendars import Holiday
from model.campaigns import Campaign
from model.dialing import CampaignRecord, RecordNumber

SHANGHAI = "Asia/Shanghai"
NOON = 1_795_838_400.0
"""2026-11-28 04:00 UTC: noon of a Saturday in Shanghai."""
DAY = 86_400.0


def campaign_of(**settings: Any) -> Campaign:
    return Campaign(**{"name": "spring", "mode": "progressive", "queue": "sales", **settings})


def record_of(*numbers: str | RecordNumber, **known: Any) -> CampaignRecord:
    own = [
        each if isinstance(each, RecordNumber) else RecordNumber(number=each) for each in numbers or ("+8613900000001",)
    ]
    return CampaignRecord(**{"record_id": "r1", "campaign": "spring", "numbers": own, **known})


def book_of(
    campaign: Campaign | None = None,
    *,
    dnc: DncBook | None = None,
    holidays: Iterable[Holiday] = (),
    dropped: Mapping[str, float] | None = None,
    in_flight: Container[str] = (),
) -> RuleBook:
    campaign = campaign or campaign_of()
    return RuleBook(
        campaign=campaign,
        hours=ContactHours(campaign, holidays, SHANGHAI),
        dnc=dnc or DncBook(),
        dropped=dropped or {},
        in_flight=in_flight,
    )
