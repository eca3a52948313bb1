"""What the caller of a queue hears: its music, over it what he is told, and who serves him; and what the agent hears
first. Pure. A play that is told to the worker again is no new one to it, so each has an id of its own.
"""

from acd.inputs import PlaceAsked
from ivr import announcements
from model import media
from model.queues import Queue, SoundStep
from switch.actions import Action, TellCentre
from switch.agent_ringing import stay_of
from switch.call import Call
from switch.config_access import is_heard
from switch.environment import Environment
from switch.hearing import AGENT_NUMBER_PLAY, WHISPER_PLAY
from switch.leg_events import TellPlace
from switch.sources import source_problem

PROGRAM = "program"
"""Timer: the next step of the queue's program is due."""
_ASKING_S = 2.0
"""A place that is not told by then is passed over."""
MAX_STEP_S = 300.0
SAID = "said"
"""Timer: what is said has not ended by then."""
MAX_SAYING_S = 30.0


def begin(call: Call, language: str, now: float, env: Environment) -> list[Action]:
    """The music of the queue he is in now, from its beginning."""
    queue_stay = stay_of(call)
    queue_stay.language = language
    queue_stay.music_at = now
    queue_stay.step = -1
    return _go_on(call, now, env)


def forget(call: Call) -> None:
    """What is said to him has been replaced by something else, or will be at once."""
    stay_of(call).saying = ""
    call.timers.pop(SAID, None)
    call.timers.pop(PROGRAM, None)


def say(call: Call, sources: list[str], now: float, limit_s: float = MAX_SAYING_S) -> list[Action]:
    """In the place of the music, or of what is said."""
    queue_stay = stay_of(call)
    queue_stay.n_said += 1
    queue_stay.saying = f"{SAID}{call.n_stays}.{queue_stay.n_said}"
    call.timers[SAID] = now + limit_s
    call.timers.pop(PROGRAM, None)
    return [media.Play(session=call.call_id, leg=call.a, play_id=queue_stay.saying, sources=sources)]


def tell_place(call: Call, told: TellPlace, now: float, env: Environment) -> list[Action]:
    """His place, how long it will take, and what he may do instead (ACD-06)."""
    queue_stay = stay_of(call)
    queue = env.directory.queue_of(queue_stay.queue)
    if queue is None or told.entry_id != queue_stay.entry_id or queue_stay.target or queue_stay.saying:
        return []
    language = queue_stay.language
    if queue.sound.program:
        return _tell_step(call, queue, told, now, env)
    said = announcements.place(told.position, told.ewt_s, language, is_more_than=told.is_more_than)
    if queue.sound.has_choices:
        said += _choices(queue, language)
    return say(call, said, now)


def program_due(call: Call, now: float, env: Environment) -> list[Action]:
    """The music of a step has been heard for long enough, or nobody knows what it asked for."""
    return [] if stay_of(call).saying else _go_on(call, now, env)


def _go_on(call: Call, now: float, env: Environment) -> list[Action]:
    """The next step of the queue's program, or the music."""
    queue_stay = stay_of(call)
    queue = env.directory.queue_of(queue_stay.queue)
    program = queue.sound.program if queue is not None else ()
    call.timers.pop(PROGRAM, None)
    if queue is None or not program:
        return _music(call, now, env)
    queue_stay.step = (queue_stay.step + 1) % len(program)
    step = program[queue_stay.step]
    match step.kind:
        case "music":
            call.timers[PROGRAM] = now + step.seconds
            return _step_music(call, step, env) if step.sources else _music(call, now, env)
        case "say":
            return say(call, _sources(call, step, env), now, MAX_STEP_S)
        case "choices":
            said = _choices(queue, queue_stay.language)
            # There is music in every program, so that this comes to an end.
            return say(call, said, now) if said else _go_on(call, now, env)
        case _:
            call.timers[PROGRAM] = now + _ASKING_S
            return [TellCentre(call.call_id, PlaceAsked(queue_stay.entry_id))]


def _tell_step(call: Call, queue: Queue, told: TellPlace, now: float, env: Environment) -> list[Action]:
    queue_stay = stay_of(call)
    step = queue.sound.program[max(0, queue_stay.step) % len(queue.sound.program)]
    if step.kind == "position":
        said = announcements.place(told.position, None, queue_stay.language, is_more_than=told.is_more_than)
        return say(call, said, now)
    if step.kind == "wait":
        if told.ewt_s is None:
            return _go_on(call, now, env)
        return say(call, announcements.wait(told.ewt_s, queue_stay.language), now)
    return []


def _choices(queue: Queue, language: str) -> list[str]:
    """What the keys do."""
    said: list[str] = []
    sound = queue.sound
    if sound.callback_key and queue.callback.is_enabled:
        said += announcements.choice("for_callback", sound.callback_key, language)
    if sound.voicemail_key:
        said += announcements.choice("for_other", sound.voicemail_key, language)
    return said


def interrupt(call: Call, now: float, env: Environment) -> list[Action]:
    """He pressed a key: nothing more is said to him, but what says that the call is over for him."""
    queue_stay = stay_of(call)
    if not queue_stay.saying or not queue_stay.entry_id:
        return []
    stopped = queue_stay.saying
    forget(call)
    return [media.StopPlay(call.call_id, call.a, stopped), *_go_on(call, now, env)]


def resume(call: Call, now: float, env: Environment) -> list[Action]:
    """What was said has ended."""
    forget(call)
    return _go_on(call, now, env)


def introductions(call: Call, agent_leg: str, agent_id: str, env: Environment) -> list[Action]:
    """The caller hears who serves him (ACD-13), the agent what for; neither hears what the other is told."""
    queue_stay = stay_of(call)
    queue = env.directory.queue_of(queue_stay.queue)
    if queue is None:
        return []
    actions: list[Action] = []
    if queue.sound.announce_agent:
        said = announcements.agent_number(agent_id, queue_stay.language)
        if said:
            actions.append(media.Play(session=call.call_id, leg=call.a, play_id=AGENT_NUMBER_PLAY, sources=said))
    if whisper := _whisper(call, queue, env):
        sources = [env.sound(whisper)]
        actions.append(media.Play(session=call.call_id, leg=agent_leg, play_id=WHISPER_PLAY, sources=sources))
    return actions


def _whisper(call: Call, queue: Queue, env: Environment) -> str:
    """What was dialled says more of the call than the queue does, when it can be played: it may be a text for screens
    (XACC-03)."""
    number = env.directory.access_number(call.trunk, call.access_number) if call.access_number else None
    # One that was stored before they were checked may name any file.
    if number is not None and is_heard(number.whisper) and not source_problem(number.whisper, env.directory.prompts):
        return number.whisper
    return queue.sound.whisper


def _step_music(call: Call, step: SoundStep, env: Environment) -> list[Action]:
    """Music of a step, from its beginning."""
    stay_of(call).n_said += 1
    play_id = f"music{call.n_stays}.{stay_of(call).n_said}"
    sources = _sources(call, step, env)
    return [media.Play(session=call.call_id, leg=call.a, play_id=play_id, sources=sources, is_looped=True)]


def _sources(call: Call, step: SoundStep, env: Environment) -> list[str]:
    return [env.sound(source, stay_of(call).language) for source in step.sources]


def _music(call: Call, now: float, env: Environment) -> list[Action]:
    """The background audio; after an announcement it goes on where it would be."""
    queue_stay = stay_of(call)
    queue = env.directory.queue_of(queue_stay.queue)
    source = env.sound(queue.sound.background if queue is not None else "moh:default", queue_stay.language)
    play_id = "queue" if call.n_stays <= 1 else f"queue{call.n_stays}"
    at_s = max(0.0, now - queue_stay.music_at)
    return [
        media.Play(session=call.call_id, leg=call.a, play_id=play_id, sources=[source], is_looped=True, offset_s=at_s)
    ]
