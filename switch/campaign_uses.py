"""Which campaigns name a queue, calendar, flow, box or prompt: it cannot be removed then. Pure."""

from collections.abc import Iterator

from model.campaigns import Campaign
from model.prompts import PROMPT
from switch.directory import Directory
from switch.routing import FLOW, QUEUE
from switch.voicemail import box_name, is_voicemail


def campaigns_naming(directory: Directory, what: str, name: str) -> Iterator[str]:
    """`what`: queue, calendar, flow, box or prompt."""
    for campaign in directory.campaigns.values():
        if _names(campaign, what, name):
            yield f"campaign {campaign.name}"


def _names(campaign: Campaign, what: str, name: str) -> bool:
    to = campaign.answered_to
    match what:
        case "queue":
            return name == campaign.queue or to == QUEUE + name
        case "calendar":
            return name in (campaign.calendar, campaign.contact_calendar)
        case "flow":
            return to == FLOW + name
        case "box":
            return is_voicemail(to) and box_name(to, campaign.queue) == name
        case _:
            return PROMPT + name in (*campaign.abandon_message, *campaign.machine_message)
