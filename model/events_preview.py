"""What an agent's client shows when he has a customer of a campaign (OUT-29…31, XAGT-08)."""

from model.campaigns import Disposition
from model.declare import Event, event


@event("record.offered")
class RecordOffered(Event, frozen=True, kw_only=True):
    """An agent speaks to a customer of a campaign, whom he or the dialler has called."""

    agent_id: str
    group: str
    call_id: str
    """Also the id of the attempt."""
    campaign: str
    title: str
    record_id: str
    name: str
    number: str
    """Which one answered; as far as the agent's role lets him see it."""
    customer_id: str
    data: dict[str, str]
    callback_note: str
    """What was promised him."""
    note: str
    n_attempts: int
    script: str
    """With what is known of him in place of {fields}."""
    content: str
    questionnaire: str
    dispositions: list[Disposition]
    is_disposition_required: bool
