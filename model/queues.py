"""Queues as they are configured (FEATURES 1.4, 4.5): who is chosen, for how long callers wait, what they hear."""

from typing import Annotated, Literal

from msgspec import Meta, field

from model.settings import Name, Seconds, Section, Text

Strategy = Literal[
    "login_order",
    "fewest_calls",
    "longest_idle",
    "random",
    "round_robin",
    "least_talk_time",
    "ring_all",
    "ring_progressively",
]
"""Exactly one per queue (ACD-03)."""

Preference = Literal["last_agent", "area", "level"]
"""Any of them, in the order in which they count, before the strategy (ACD-04)."""

QueueState = Literal["open", "draining", "closed"]
"""draining: nobody new; closed: nobody at all (XACD-17)."""

OverflowReason = Literal["timeout", "no_agent_timeout", "overflow_full", "exit_empty", "closed"]

Target = Annotated[
    str,
    Meta(
        max_length=255,
        pattern=r"^(hangup|voicemail|(queue|ivr|voicemail|external):[^\s]+|[0-9*#+]{1,32})?$",
        description="hangup, voicemail[:BOX], ivr:FLOW, queue:NAME, external:NUMBER, or a number (ACD-07).",
    ),
]


class RelaxStep(Section, frozen=True):
    """After so long less is asked of agents; the caller keeps his place (XACD-01)."""

    after_s: Seconds
    lower_by: Annotated[int, Meta(ge=0, le=9, description="Every skill level asked for is lowered by so much.")] = 0
    drop: Annotated[tuple[Name, ...], Meta(max_length=20, description="Skills no longer asked for.")] = ()
    is_any_agent: Annotated[bool, Meta(description="Whoever serves the queue will do.")] = False


class QueueLimits(Section, frozen=True):
    """How many wait, how long, and what then."""

    max_waiting: Annotated[
        int, Meta(ge=0, le=100_000, description="With so many, the next goes to full_to; 0: no limit.")
    ] = 0
    full_to: Target = "hangup"
    max_wait_s: Annotated[Seconds, Meta(description="Longest wait when agents are there; 0: no limit.")] = 0.0
    timeout_to: Target = "hangup"
    no_agent_wait_s: Annotated[
        Seconds, Meta(description="Longest wait while no agent is there; 0: sent on at once when has_no_agent_limit.")
    ] = 0.0
    has_no_agent_limit: Annotated[bool, Meta(description="Whether no_agent_wait_s counts at all.")] = False
    no_agent_to: Target = "hangup"
    absent: Annotated[
        tuple[Literal["not_ready", "unreachable", "acw"], ...],
        Meta(description="Signed-in agents in these states count as not there (XACD-09); empty: only signed-out ones."),
    ] = ()
    closed_to: Annotated[Target, Meta(description="Where callers go while the queue is closed.")] = "hangup"
    max_ewt_s: Annotated[
        Seconds, Meta(description="Who would wait longer than this is sent to full_to on entry (XACD-14); 0: never.")
    ] = 0.0


class SoundStep(Section, frozen=True):
    """A step of what who waits hears (XIVR-04)."""

    kind: Annotated[
        Literal["music", "say", "position", "wait", "choices"],
        Meta(
            description="music for some seconds; say: sounds, once; position: his place; wait: how long it will "
            "probably take, when that is known well; choices: what the keys do."
        ),
    ]
    seconds: Annotated[Seconds, Meta(description="Of music.")] = 30.0
    sources: Annotated[
        tuple[Text, ...],
        Meta(max_length=20, description='"file:PATH", "voice:zh/NAME"; of music: in place of the background.'),
    ] = ()


class QueueSound(Section, frozen=True):
    """What who waits hears (ACD-06, ACD-13, ACD-18, XACD-11/12)."""

    language: Annotated[str, Meta(pattern=r"^[a-z]{2}(-[A-Z]{2})?$", description="zh, en.")] = "zh"
    background: Annotated[Text, Meta(description='"moh:default" or "file:PATH", for each from its beginning.')] = (
        "moh:default"
    )
    distribute_after_s: Annotated[
        Seconds, Meta(description="Agents are looked for after so much of it; only on the first entry (D-12).")
    ] = 0.0
    position_every_s: Annotated[Seconds, Meta(description="How often his place is told; 0: never.")] = 0.0
    is_position_first: Annotated[bool, Meta(description="Also right at the beginning.")] = False
    only_when_better: Annotated[bool, Meta(description="Only when the place has improved since.")] = True
    max_position: Annotated[int, Meta(ge=0, le=1000, description='Above this it is "more than"; 0: always exact.')] = 0
    has_ewt: Annotated[bool, Meta(description="With the time he will probably wait, when that is known well.")] = False
    voicemail_key: Annotated[
        str, Meta(pattern=r"^[0-9*#]?$", description="Key to leave the queue for voicemail_to.")
    ] = ""
    voicemail_to: Annotated[
        Target,
        Meta(description="As timeout_to."),
    ] = "voicemail"
    callback_key: Annotated[str, Meta(pattern=r"^[0-9*#]?$", description="Key to be called back instead.")] = ""
    has_choices: Annotated[
        bool,
        Meta(description="Each announcement of his place ends with what the keys do (callback_key, voicemail_key)."),
    ] = True
    program: Annotated[
        tuple[SoundStep, ...],
        Meta(
            max_length=50,
            description="Steps that who waits hears one after another, and again from the first, in place of the music "
            "with position_every_s; one of them must be music.",
        ),
    ] = ()
    announce_agent: Annotated[bool, Meta(description="The caller hears the agent's number (ACD-13).")] = False
    whisper: Annotated[Text, Meta(description='What the agent hears first: "file:PATH", "voice:zh/NAME".')] = ""


class WrapUp(Section, frozen=True):
    """After the call (AGT-15/16, XAGT-02)."""

    post_call: Literal["available", "acw"] = "acw"
    max_s: Annotated[Seconds, Meta(description="After-call work ends by itself after so long; 0: only by hand.")] = 30.0
    codes: Annotated[tuple[Name, ...], Meta(max_length=200, description="To choose from; empty: any.")] = ()
    is_code_required: Annotated[bool, Meta(description="It does not end by hand without a code.")] = False


class Callback(Section, frozen=True):
    """Called back in place of waiting (XACD-03)."""

    is_enabled: bool = False
    first: Annotated[Literal["agent", "customer"], Meta(description="Who is rung first.")] = "agent"
    retries: Annotated[int, Meta(ge=0, le=5)] = 1
    expires_s: Annotated[Seconds, Meta(description="Given up after so long.")] = 14_400.0
    caller_id: Annotated[str, Meta(max_length=32, description="Shown to the customer; empty: what he called.")] = ""
    dial_prefix: Annotated[
        str, Meta(pattern=r"^[0-9*#+]{0,8}$", description="Put before the customer's number to dial it.")
    ] = ""


class Satisfaction(Section, frozen=True):
    """The caller rates the service by a key after the call (SAT-01/02)."""

    is_enabled: bool = False
    flow: Annotated[
        str,
        Meta(
            pattern=r"^[A-Za-z0-9_.-]{0,64}$",
            description="Flow that asks in place of the built-in question; callers enter it when the agent hangs up.",
        ),
    ] = ""
    prompt: Annotated[Text, Meta(description='What asks for it, "file:PATH"; empty: a tone.')] = ""
    satisfied_key: Annotated[str, Meta(pattern=r"^[0-9*#]$")] = "1"
    neutral_key: Annotated[str, Meta(pattern=r"^[0-9*#]$")] = "2"
    dissatisfied_key: Annotated[str, Meta(pattern=r"^[0-9*#]$")] = "3"
    timeout_s: Seconds = 10.0

    @property
    def is_asked(self) -> bool:
        return self.is_enabled or bool(self.flow)


class Queue(Section, frozen=True):
    """Calls that wait for agents."""

    name: Name
    title: Annotated[Text, Meta(description="How people call it.")] = ""
    strategy: Strategy = "longest_idle"
    prefer: Annotated[tuple[Preference, ...], Meta(max_length=3)] = ("last_agent", "area", "level")
    has_dedicated_agent: Annotated[bool, Meta(description="The customer's own agent first (ACD-17).")] = False
    weight: Annotated[int, Meta(ge=0, le=1000, description="An agent of several queues serves the heaviest first.")] = 0
    ring_timeout_s: Annotated[float, Meta(ge=1, le=600, description="How long an agent's phone rings (ACD-14).")] = 20.0
    ring_step_s: Annotated[
        float, Meta(ge=1, le=600, description="ring_progressively: one more agent is rung after so long.")
    ] = 10.0
    no_answer_penalty_s: Annotated[
        Seconds, Meta(description="Who did not answer a call is passed over for it so long, while others are there.")
    ] = 60.0
    vip_starve_s: Annotated[
        Seconds, Meta(description="Who waited so long counts as a VIP (ageing); 0: VIPs always go first.")
    ] = 0.0
    priority_step_s: Annotated[
        Seconds, Meta(description="One step of a call's priority is worth so many seconds of waiting.")
    ] = 60.0
    skills: Annotated[
        dict[Name, Annotated[int, Meta(ge=1, le=9)]],
        Meta(max_length=20, description="Skill -> least level, asked of agents for every call."),
    ] = field(default_factory=dict)
    relax: Annotated[tuple[RelaxStep, ...], Meta(max_length=6)] = ()
    reserve: Annotated[
        int,
        Meta(ge=0, le=10_000, description="Idle agents kept for inbound calls (ACD-16)."),
    ] = 0
    is_reserve_strict: Annotated[
        bool, Meta(description="Also an outbound call that was answered already may take none of them.")
    ] = False
    service_level_s: Annotated[Seconds, Meta(description="Answered within this is in time (T).")] = 20.0
    service_level_goal: Annotated[float, Meta(ge=0, le=1)] = 0.8
    short_abandon_s: Annotated[Seconds, Meta(description="Who hangs up sooner did not really wait (T_short).")] = 5.0
    abandon_resume_s: Annotated[
        Seconds, Meta(description="Who was cut off and calls again within this has his old place (XACD-13); 0: not.")
    ] = 0.0
    limits: QueueLimits = QueueLimits()
    sound: QueueSound = QueueSound()
    wrap_up: WrapUp = WrapUp()
    callback: Callback = Callback()
    satisfaction: Satisfaction = Satisfaction()


class AcdRules(Section, frozen=True):
    """`[acd]`: what holds across queues."""

    is_service_level_routed: Annotated[
        bool,
        Meta(description="A freed agent serves the queue nearest to missing its service level."),
    ] = False
    all_busy_interval_s: Annotated[
        Seconds, Meta(description="While all agents of a queue are busy and calls wait it is told this often (ACD-19).")
    ] = 30.0
    last_agent_days: Annotated[
        float, Meta(ge=0, le=366, description="For so long it counts who served a caller last (ACD-04); 0: not.")
    ] = 30.0
    max_hops: Annotated[int, Meta(ge=1, le=20, description="Queues a call may overflow through.")] = 5
