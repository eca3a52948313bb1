"""What a switch might say of how its campaigns stand, for tests of what is done with it."""

from typing import Any

from model import commands_campaign_view as views
from model.campaign_figures import FORMULAS, AttemptFigures, CallingFigures, record_figures
from model.campaign_views import AbandonWindow, CampaignLive
from model.dialing import Attempt, PacingEntry

RECORDS = record_figures(
    n_records=200, n_called=80, n_connected=30, n_delivered=24, n_open=150, by_status={"done": 50, "new": 120}
)
ATTEMPTS = AttemptFigures(
    n_attempts=100,
    n_answered=35,
    n_live=30,
    n_connected=24,
    n_dropped=1,
    n_machines=5,
    n_busy=10,
    n_no_answer=50,
    n_failed=5,
    talk_s=2400.0,
    contact_rate=0.3,
    drop_rate=1 / 30,
    avg_talk_s=100.0,
    avg_ring_s=None,
)
WINDOWS = [AbandonWindow(window="days_30", n_answered=250.0, n_abandoned=5.0, rate=0.02)]
LIVE = CampaignLive(
    campaign="spring",
    state="running",
    reason="start",
    since_utc=1.0,
    n_lines=9,
    n_ringing=6,
    n_waiting=1,
    n_talking=2,
    n_hopper=40,
    n_open=150,
    n_agents=4,
    n_idle=1,
    n_busy=3,
    occupancy=0.75,
    answer_rate=0.31,
    calls_per_agent=2.25,
    credit=2.5,
    pacing="gate_closed",
    abandoned=WINDOWS,
)
CALLING = CallingFigures(n_dialled=100, n_live=30, n_connected=29, n_dropped=1, n_short_rings=2, abandon_rate=1 / 30)
DAY = views.CallingDayView(day="2026-11-27", n_dialled=100, n_live=30, n_dropped=1, abandon_rate_30_days=0.02)
CAMPAIGN_VIEW_SAMPLES: dict[Any, Any] = {
    views.CampaignProgress: views.CampaignProgress(
        campaign="spring",
        title="春季回访",
        mode="predictive",
        state="running",
        at_utc=1000.0,
        records=RECORDS,
        today=ATTEMPTS,
        days_30=ATTEMPTS,
        live=LIVE,
        hit_rate=0.31,
        dial_level=2.25,
        max_abandon_rate=0.03,
        left_s=7200.0,
        left_why="",
        lists=[
            views.ListProgress(
                list_name="may.xlsx",
                created_utc=1.0,
                n_records=200,
                n_called=80,
                n_delivered=24,
                n_open=150,
                called_rate=0.4,
            )
        ],
        agents=[
            views.AgentProgress(
                agent_id="a1",
                n_records=10,
                n_called=4,
                n_attempts=6,
                n_connected=5,
                n_deals=2,
                talk_s=600.0,
                dispositions={"deal": 2, "no": 3},
            )
        ],
    ),
    views.NumberList: views.NumberList(
        numbers=[
            views.NumberView(
                record_id="r1",
                list_name="may.xlsx",
                name="=王五",
                number="138****0001",
                label="mobile",
                position=0,
                status="retry_wait",
                reason="",
                is_calling=False,
                is_bad=False,
                n_attempts=2,
                last_utc=1.0,
                last_result="busy",
                next_utc=601.0,
                deferred="retry",
                owner="",
                agent_id="",
            )
        ],
        cursor="r1",
    ),
    views.AttemptList: views.AttemptList(
        attempts=[
            Attempt(
                attempt_id="a-1",
                campaign="spring",
                record_id="r1",
                number="138****0001",
                mode="predictive",
                started_utc=1.0,
                answered_utc=9.0,
                ended_utc=70.0,
                result="dropped",
                is_dropped=True,
            )
        ]
    ),
    views.CampaignDiagnosed: views.CampaignDiagnosed(
        campaign="spring",
        state="running",
        at_utc=1000.0,
        blockers=[
            views.BlockerView(
                reason="deferred",
                of="hours",
                count=12,
                until_utc=2000.0,
                text="12 wait for their contact hours",
                text_zh="12 条在等可呼叫时段",
            )
        ],
    ),
    views.PacingList: views.PacingList(
        entries=[PacingEntry(campaign="spring", at_utc=1.0, n_dials=3, reason="pacing", inputs={"idle": 2, "p": 0.31})]
    ),
    views.EvidenceReport: views.EvidenceReport(
        start_utc=1.0,
        end_utc=2.0,
        made_utc=3.0,
        campaigns=[
            views.CampaignEvidence(
                campaign="spring",
                title="=春季回访",
                mode="predictive",
                zone="Asia/Shanghai",
                max_abandon_rate=0.03,
                legal_cap=0.03,
                patience_s=2.0,
                least_ring_s=15.0,
                contact_hours="mon-sun 08:00-21:00",
                retry_min_s=300.0,
                no_redial_after_drop_s=259_200.0,
                amd_false_rate=0.0,
                total=CALLING,
                days=[DAY],
                windows=WINDOWS,
                n_dnc=7,
                faults=["n_short_rings"],
            )
        ],
        formulas=FORMULAS,
        is_clean=False,
    ),
}
