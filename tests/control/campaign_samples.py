"""What a switch might say of its campaigns, for tests of what is done with it."""

from typing import Any

from model import commands_campaign
from model.campaigns import Campaign

CAMPAIGN = commands_campaign.CampaignView(
    campaign="spring",
    title="春季回访",
    mode="predictive",
    state="suspended",
    why="hours_end",
    queue="sales",
    n_calls=3,
    source="database",
)
CAMPAIGN_SAMPLES: dict[Any, Any] = {
    commands_campaign.CampaignView: CAMPAIGN,
    commands_campaign.CampaignList: commands_campaign.CampaignList(campaigns=[CAMPAIGN]),
    commands_campaign.CampaignDetail: commands_campaign.CampaignDetail(
        campaign="spring",
        now=CAMPAIGN,
        settings=Campaign(name="spring", mode="predictive", queue="sales", max_lines=60),
    ),
}
