"""What a switch might say of preview campaigns and appointments, for tests of what is done with it."""

from typing import Any

from model import commands_appointments, commands_preview
from model.campaigns import Disposition
from model.customers import Appointment

CARD = commands_preview.RecordCard(
    record_id="r1",
    campaign="spring",
    status="callback",
    name="王芳",
    numbers=[
        commands_preview.CardNumber(
            number="138****1111", label="mobile", area="杭州", n_attempts=1, last_result="human", is_bad=False
        )
    ],
    data={"plan": "58 元"},
    customer_id="",
    list_name="may",
    owner="8001",
    priority=0,
    n_attempts=1,
    last_utc=1.0e9,
    last_result="human",
    next_utc=1.1e9,
    callback_utc=1.1e9,
    callback_owner="8001",
    callback_note="the offer",
    disposition="later",
    note="",
    agent_id="8001",
)
APPOINTMENT = Appointment(
    appointment_id="p1",
    agent_id="8001",
    campaign="spring",
    record_id="r1",
    name="王芳",
    at_utc=1.1e9,
    matter="the offer",
    created_by="anna",
)
PREVIEW_SAMPLES: dict[Any, Any] = {
    commands_preview.Shares: commands_preview.Shares(
        campaign="spring",
        n_moved=5,
        n_unassigned=2,
        shares=[
            commands_preview.Share(agent_id="8001", n_given=-5, n_records=9, n_to_call=4, n_callbacks=2, n_done=3),
        ],
    ),
    commands_preview.RecordSheet: commands_preview.RecordSheet(
        record=CARD,
        may_call=False,
        position=-1,
        why_not="hours",
        retry_at_utc=1.1e9,
        title="春季回访",
        script="您好王芳",
        content="",
        questionnaire="q7",
        dispositions=[Disposition(code="sold", title="成交", effect="success")],
        is_disposition_required=True,
    ),
    commands_preview.OwnRecords: commands_preview.OwnRecords(records=[CARD], cursor="r1"),
    commands_preview.DialedRecord: commands_preview.DialedRecord(
        call_id="call-1", record_id="r1", number="138****1111", caller_id="02166660000"
    ),
    commands_preview.AgentFiguresList: commands_preview.AgentFiguresList(
        figures=[
            commands_preview.AgentFigures(
                agent_id="8001",
                campaign="spring",
                start_utc=1.0e9,
                n_attempts=40,
                n_connected=12,
                talk_s=720.0,
                n_deals=3,
                dispositions={"sold": 3, "no": 9},
            )
        ]
    ),
    Appointment: APPOINTMENT,
    commands_appointments.AppointmentList: commands_appointments.AppointmentList(
        appointments=[APPOINTMENT], cursor="p1"
    ),
}
