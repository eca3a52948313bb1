"""What a switch might say of its queues and agents, for tests of what is done with it."""

from typing import Any

import msgspec

from model import (
    commands_access,
    commands_agent,
    commands_callers,
    commands_centre,
    commands_customers,
    commands_dnc,
    commands_imports,
    commands_lists,
    commands_members,
    commands_metrics,
    commands_prompts,
    commands_queue,
    events_alarm,
)
from model.access_numbers import AccessNumber
from model.agents import Agent, Membership
from model.caller_lists import ListedCaller
from model.customers import Customer, CustomerNumber
from model.dialing import Attempt, CampaignRecord, DncEntry, RecordNumber
from model.queues import Queue, QueueLimits


def _zero(kind: type[Any], **known: Any) -> Any:
    """An object with what is known, and nothing where the type can say so."""
    empty = {str: "", int: 0, float: 0.0, dict: {}, list: []}
    values: dict[str, Any] = {}
    for field in msgspec.structs.fields(kind):
        origin = getattr(field.type, "__origin__", field.type)
        values[field.name] = known.get(field.name, empty.get(origin))
    return kind(**values)


QUEUE = _zero(
    commands_queue.QueueView,
    queue="sales",
    title="销售",
    state="draining",
    n_waiting=2,
    longest_wait_s=75.0,
    n_agents=3,
    n_idle=1,
    n_by_state={"available": 1, "on_call": 2, "offline": 0},
    is_all_busy=False,
)
WAITING = _zero(
    commands_queue.WaitingCall,
    entry_id="call-1",
    call_id="call-1",
    queue="sales",
    position=1,
    state="offered",
    caller="1380000\x1b[31m",
    dialed="4001",
    waited_s=75.0,
    customer_type="vip",
    call_type="inbound",
    offered_to=["8001"],
    ewt_s=12.5,
)
AGENT = _zero(
    commands_agent.AgentView,
    agent_id="8001",
    name="李伟",
    group="default",
    role="agent",
    queues=["sales"],
    skills={"en": 5},
    state="not_ready",
    reason="break",
    state_s=61.0,
    mode="extension",
    extension="1001",
    signed_in_s=3600.0,
    has_device=False,
)
GROUP = commands_centre.AgentGroupView(group="south", title="南区", source="database", n_agents=4, n_signed_in=3)
LISTED = commands_callers.ListedCallerView(
    caller=ListedCaller(list="dedicated", number="1380000*", of=("sales",), agent_id="8001", reason="good customer"),
    added_by="anna",
    added_utc=1.0e9,
)
MEMBER = commands_members.MemberEntry(
    member="2", name="王芳", has_password=True, is_locked=True, created_utc=1.0e9, updated_utc=1.1e9
)
PROMPT = commands_prompts.PromptView(
    prompt="welcome",
    title="欢迎",
    variants=[
        commands_prompts.PromptVariant(
            language="zh", text="您好", has_audio=True, duration_s=2.5, uploaded_utc=1.0e9, uploaded_by="anna"
        ),
        commands_prompts.PromptVariant(language="en", text="Hello", has_audio=False),
    ],
    used_by=["flow main, node menu, say.0.source"],
)
ALARM = events_alarm.AlarmView(
    alarm="long",
    queue="sales",
    measure="longest_wait_s",
    value=75.0,
    limit=60.0,
    severity="critical",
    since_s=61.0,
    acknowledged_by="anna",
)
CAMPAIGN_RECORD = CampaignRecord(
    record_id="r1",
    campaign="spring",
    list_name="may",
    row=2,
    status="retry_wait",
    name="王芳",
    numbers=[RecordNumber(number="+8613800138000", label="mobile", zone="Asia/Shanghai", area="浙江省杭州市")],
    data={"policy": "P-7"},
    n_attempts=1,
    next_utc=1.2e9,
    last_utc=1.1e9,
    last_result="busy",
)
ATTEMPT = Attempt(
    attempt_id="a1",
    campaign="spring",
    record_id="r1",
    number="+8613800138000",
    mode="predictive",
    started_utc=1.1e9,
    ended_utc=1.1e9 + 5,
    result="busy",
)
REJECTION = commands_lists.Rejection(row=3, column="手机", value="12345", reason="impossible_number", is_kept=False)
LIST_IMPORT = commands_imports.ListImport(
    import_id="i1",
    target="campaign",
    campaign="spring",
    list_name="may",
    state="finished",
    problem="",
    n_rows=100,
    n_added=97,
    n_refused=3,
    n_rejections=4,
    columns=[("姓名", "name"), ("手机", "number")],
    started_by="anna",
    created_utc=1.0e9,
    ended_utc=1.0e9 + 60,
)
DNC_ENTRY = DncEntry(number="+8613800138000", campaign="spring", reason="asked us", added_by="anna", added_utc=1.0e9)
CUSTOMER = Customer(
    customer_id="c1",
    name="王芳",
    numbers=[CustomerNumber(number="+8613800138000", label="mobile", area="浙江省杭州市")],
    owner="8001",
    level="gold",
    tags=["vip"],
    data={"company": "Acme"},
    created_utc=1.0e9,
)

CENTRE_SAMPLES: dict[Any, Any] = {
    commands_access.AccessNumberView: commands_access.AccessNumberView(
        access_number=AccessNumber(number="4001", to="queue:sales"),
        source="database",
        now=commands_access.AccessMoment(
            number="4001", trunk="", calendar="", at_utc=0.0, which="open", leads_to="queue"
        ),
    ),
    commands_callers.ListedCallerView: LISTED,
    commands_callers.ListedCallers: commands_callers.ListedCallers(callers=[LISTED], n_callers=2, cursor="1380000*"),
    commands_members.MemberEntry: MEMBER,
    commands_members.MemberList: commands_members.MemberList(members=[MEMBER], cursor="2"),
    CampaignRecord: CAMPAIGN_RECORD,
    commands_lists.RecordPage: commands_lists.RecordPage(records=[CAMPAIGN_RECORD], cursor=""),
    commands_lists.RecordDetail: commands_lists.RecordDetail(record=CAMPAIGN_RECORD, attempts=[ATTEMPT]),
    commands_lists.RecordsAdded: commands_lists.RecordsAdded(record_ids=["r1"], rejections=[REJECTION]),
    commands_lists.RecordsTouched: commands_lists.RecordsTouched(n_records=2),
    commands_lists.Lists: commands_lists.Lists(
        lists=[
            commands_lists.ListView(
                campaign="spring",
                list_name="may",
                created_utc=1.0e9,
                n_records=97,
                n_attempted=40,
                n_connected=12,
                n_open=70,
            )
        ]
    ),
    commands_imports.ListUploaded: commands_imports.ListUploaded(upload_id="u1", size=3),
    commands_imports.ListImport: LIST_IMPORT,
    commands_imports.ImportList: commands_imports.ImportList(imports=[LIST_IMPORT]),
    commands_imports.RejectionPage: commands_imports.RejectionPage(rejections=[REJECTION], cursor=""),
    commands_dnc.DncAdded: commands_dnc.DncAdded(n_added=1, rejections=[REJECTION]),
    commands_dnc.DncPage: commands_dnc.DncPage(entries=[DNC_ENTRY], cursor=""),
    Customer: CUSTOMER,
    commands_customers.CustomerPage: commands_customers.CustomerPage(customers=[CUSTOMER], cursor="c1"),
    commands_prompts.PromptView: PROMPT,
    commands_prompts.PromptList: commands_prompts.PromptList(prompts=[PROMPT], n_prompts=2, cursor="welcome"),
    commands_prompts.PromptUploaded: commands_prompts.PromptUploaded(upload_id="u1", size=3, duration_s=2.5),
    commands_prompts.PromptPiece: commands_prompts.PromptPiece(data="YWJj", offset=0, size=3, sha256="5"),
    events_alarm.AlarmView: ALARM,
    events_alarm.AlarmList: events_alarm.AlarmList(alarms=[ALARM]),
    commands_queue.QueueView: QUEUE,
    commands_queue.QueueList: commands_queue.QueueList(queues=[QUEUE]),
    commands_queue.QueueDetail: commands_queue.QueueDetail(
        queue="sales",
        now=QUEUE,
        settings=Queue(name="sales", strategy="random", skills={"en": 3}, limits=QueueLimits(max_wait_s=60.0)),
        source="database",
    ),
    commands_queue.WaitingCall: WAITING,
    commands_queue.WaitingCalls: commands_queue.WaitingCalls(calls=[WAITING], n_waiting=2, cursor="1"),
    commands_queue.Standing: commands_queue.Standing(
        call=WAITING, ranking="first > vip", counts_as_waiting_s=80.0, before_it=["call-0"], agents={"on a call": 2}
    ),
    commands_queue.CallbackView: commands_queue.CallbackView(call_id="call-2"),
    commands_agent.AgentView: AGENT,
    commands_agent.AgentList: commands_agent.AgentList(agents=[AGENT], n_by_state={"not_ready": 7}, cursor=""),
    commands_centre.AgentDetail: commands_centre.AgentDetail(
        agent_id="8001",
        source="file",
        has_pin=True,
        settings=Agent(agent_id="8001", group="south", extension="1001", queues=(Membership(queue="sales", level=4),)),
    ),
    commands_centre.AgentGroupView: GROUP,
    commands_centre.AgentGroupList: commands_centre.AgentGroupList(groups=[GROUP]),
    commands_metrics.QueueMetricsList: commands_metrics.QueueMetricsList(
        queues=[
            _zero(
                commands_metrics.QueueMetrics,
                queue="sales",
                offered=10,
                answered=8,
                answer_rate=0.8,
                sl1=0.625,
                asa_s=7.5,
                agents={"available": 2},
            )
        ],
        identity_violations=0,
    ),
    commands_metrics.AgentMetricsList: commands_metrics.AgentMetricsList(
        agents=[
            _zero(
                commands_metrics.AgentMetrics,
                agent_id="8001",
                state="on_call",
                signin_s=7200.0,
                handled={"queue": 5},
                states_s={"not_ready": 90.0},
                occupancy=0.755,
            )
        ]
    ),
}
