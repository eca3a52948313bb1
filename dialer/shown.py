"""Which number a customer sees (OUT-12, XOUT-07): the campaign's, or one of his own area, in turn."""

from model.campaigns import Campaign
from model.dialing import RecordNumber


def choose_shown(campaign: Campaign, number: RecordNumber, turn: int) -> str:
    """The most exact area that his lies in, then that without a name, then the campaign's number."""
    if campaign.shows != "area":
        return campaign.caller_id
    fitting = [each for each in campaign.area_numbers if not each.area or each.area in number.area]
    if not fitting:
        return campaign.caller_id
    best = max(fitting, key=lambda each: len(each.area))
    return best.numbers[turn % len(best.numbers)]
