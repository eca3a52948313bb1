"""Commands on campaigns: set them up, start and stop them. `switch/campaigns_admin.py` handles them.

Settings are those of `[[campaign]]`, see configuration.md. A campaign of the file is read-only here, but it is started,
stopped and filled with records as any other.
"""

from typing import TYPE_CHECKING, Annotated

import msgspec

from model import views
from model.campaigns import Campaign
from model.declare import Command, command
from model.errors import AlreadyExists, InvalidValue, NoSuchCampaign, StorageUnavailable, WrongState
from model.partial import partial
from model.settings import Name, Section

if TYPE_CHECKING:
    CampaignSettings = Annotated[Section, "of model.campaigns.Campaign"]
else:
    CampaignSettings = partial(Campaign, without=("name",))


class CampaignView(msgspec.Struct, frozen=True, kw_only=True):
    """A campaign as it is now."""

    campaign: str
    title: str
    mode: str
    state: str
    """not_started, running, stopped, suspended (outside its hours) or completed."""
    why: str
    """What made it so."""
    queue: str
    n_calls: int
    """Under way: being placed, ringing, answered."""
    source: str
    """file (read-only by API) or database."""


class CampaignList(views.View, frozen=True, kw_only=True):
    """Campaigns by name."""

    campaigns: list[CampaignView]


class CampaignDetail(views.View, frozen=True, kw_only=True):
    """A campaign with its settings."""

    campaign: str
    now: CampaignView
    settings: Campaign


@command("campaign.list", permission="campaign.view", result=CampaignList)
class ListCampaigns(Command, frozen=True, kw_only=True):
    """All campaigns."""


@command("campaign.get", permission="campaign.view", result=CampaignDetail, errors=(NoSuchCampaign,))
class GetCampaign(Command, frozen=True, kw_only=True):
    """A campaign with its settings."""

    campaign: Name


@command(
    "campaign.create",
    permission="campaign.manage",
    result=CampaignDetail,
    errors=(AlreadyExists, InvalidValue, StorageUnavailable),
)
class CreateCampaign(Command, frozen=True, kw_only=True):
    """Adds a campaign, which is not started yet."""

    campaign: Name
    settings: CampaignSettings = msgspec.field(default_factory=CampaignSettings)


@command(
    "campaign.update",
    permission="campaign.manage",
    result=CampaignDetail,
    errors=(NoSuchCampaign, InvalidValue, StorageUnavailable),
)
class UpdateCampaign(Command, frozen=True, kw_only=True):
    """Changes the settings that are given; they hold at once, calls under way go on as they began."""

    campaign: Name
    settings: CampaignSettings


@command(
    "campaign.delete",
    permission="campaign.manage",
    result=views.Done,
    errors=(NoSuchCampaign, InvalidValue, WrongState, StorageUnavailable),
)
class DeleteCampaign(Command, frozen=True, kw_only=True):
    """Removes a campaign that does not run and has no call under way, with its records. What was called, and who was
    not reached in time, stays in the database."""

    campaign: Name


@command(
    "campaign.start",
    permission="campaign.control",
    result=CampaignView,
    errors=(NoSuchCampaign, WrongState),
)
class StartCampaign(Command, frozen=True, kw_only=True):
    """Starts it by hand, or again; outside its hours it waits for them (suspended)."""

    campaign: Name


@command(
    "campaign.stop",
    permission="campaign.control",
    result=CampaignView,
    errors=(NoSuchCampaign, WrongState),
)
class StopCampaign(Command, frozen=True, kw_only=True):
    """Nobody new is called from this moment on; calls under way go on."""

    campaign: Name
