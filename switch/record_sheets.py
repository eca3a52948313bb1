"""What agents are shown of records and of the campaigns they belong to (OUT-29…31, XAGT-08). Pure."""

from dialer.rules import No, Yes
from dialer.script import fill_in
from model.campaigns import Campaign
from model.commands_preview import CardNumber, RecordCard, RecordSheet
from model.dialing import CampaignRecord
from model.events_preview import RecordOffered
from switch.call import Call
from switch.masking import mask_number


def number_shown(number: str, *, is_whole: bool) -> str:
    return number if is_whole else mask_number(number)


def card_of(record: CampaignRecord, *, is_whole: bool) -> RecordCard:
    """`is_whole`: telephone numbers are shown as they are."""
    return RecordCard(
        record_id=record.record_id,
        campaign=record.campaign,
        status=record.status,
        name=record.name,
        numbers=[
            CardNumber(
                number=number_shown(each.number, is_whole=is_whole),
                label=each.label,
                area=each.area,
                n_attempts=each.n_attempts,
                last_result=each.last_result,
                is_bad=each.is_bad,
            )
            for each in record.numbers
        ],
        data=data_shown(record, is_whole=is_whole),
        customer_id=record.customer_id,
        list_name=record.list_name,
        owner=record.owner,
        priority=record.priority,
        n_attempts=record.n_attempts,
        last_utc=record.last_utc,
        last_result=record.last_result,
        next_utc=record.next_utc,
        callback_utc=record.callback_utc,
        callback_owner=record.callback_owner,
        callback_note=record.callback_note,
        disposition=record.disposition,
        note=record.note,
        agent_id=record.agent_id,
    )


def data_shown(record: CampaignRecord, *, is_whole: bool) -> dict[str, str]:
    """A number that stands among the data of a record is not shown there either."""
    if is_whole:
        return dict(record.data)
    bare = {digits_of(each.number) for each in record.numbers}
    return {
        name: mask_number(value) if _is_number_of(digits_of(value), bare) else value
        for name, value in record.data.items()
    }


def sheet_of(record: CampaignRecord, campaign: Campaign, verdict: Yes | No, *, is_whole: bool) -> RecordSheet:
    card = card_of(record, is_whole=is_whole)
    return RecordSheet(
        record=card,
        may_call=isinstance(verdict, Yes),
        position=verdict.position if isinstance(verdict, Yes) else -1,
        why_not=verdict.reason if isinstance(verdict, No) else "",
        retry_at_utc=verdict.retry_at_utc if isinstance(verdict, No) else 0.0,
        title=campaign.title or campaign.name,
        script=_script(record, campaign, card.data),
        content=campaign.content,
        questionnaire=campaign.questionnaire,
        dispositions=list(campaign.dispositions),
        is_disposition_required=campaign.is_disposition_required,
    )


def offered(
    call: Call, record: CampaignRecord, campaign: Campaign, agent_id: str, group: str, *, is_whole: bool
) -> RecordOffered:
    """What pops up when he is connected."""
    assert call.dialing is not None
    data = data_shown(record, is_whole=is_whole)
    return RecordOffered(
        agent_id=agent_id,
        group=group,
        call_id=call.call_id,
        campaign=campaign.name,
        title=campaign.title or campaign.name,
        record_id=record.record_id,
        name=record.name,
        number=number_shown(call.dialing.number, is_whole=is_whole),
        customer_id=record.customer_id,
        data=data,
        callback_note=record.callback_note,
        note=record.note,
        n_attempts=record.n_attempts,
        script=_script(record, campaign, data),
        content=campaign.content,
        questionnaire=campaign.questionnaire,
        dispositions=list(campaign.dispositions),
        is_disposition_required=campaign.is_disposition_required,
    )


def digits_of(text: str) -> str:
    return "".join(char for char in text if char.isdigit())


def _is_number_of(digits: str, numbers: set[str]) -> bool:
    """With or without the country's prefix."""
    return len(digits) >= 5 and any(digits.endswith(each) or each.endswith(digits) for each in numbers if each)


def _script(record: CampaignRecord, campaign: Campaign, data: dict[str, str]) -> str:
    if not campaign.script:
        return ""
    return fill_in(campaign.script, record.name, {**data, "note": record.note, "callback_note": record.callback_note})
