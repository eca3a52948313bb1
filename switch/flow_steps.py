"""What the steps of a flow become where they decide nothing: events, sound, call data, and requests of others. Pure."""

from ivr import run as flow
from ivr.speaking import Sound
from model import media
from model.events_flow import FlowEnded, FlowLeft, FlowTrouble, FlowVisited
from model.prompts import PROMPT
from switch import surveys
from switch.actions import Action, AskDatabase, AskFlowCallback, AskHttp, AskMember, MakeSpeech
from switch.call import Call
from switch.environment import Environment
from switch.leg_events import SpeechMade
from switch.phases import bridged
from switch.variables import set_data

HOLD = "ivr_hold"
REPLACED = "!"
"""Ends the play id of what is played in the place of a sound that cannot be."""
MAX_PATH = 255


def run_of(call: Call) -> flow.FlowRun:
    assert call.flow is not None
    return call.flow


def carry_out(call: Call, step: flow.FlowAction, env: Environment) -> list[Action]:
    actions: list[Action] = []
    match step:
        case flow.Visited():
            actions.append(
                FlowVisited(
                    call_id=call.call_id, flow=step.flow, version=step.version, at_node=step.node, kind=step.kind
                )
            )
        case flow.Left():
            actions.append(
                FlowLeft(
                    call_id=call.call_id,
                    flow=step.flow,
                    version=step.version,
                    at_node=step.node,
                    branch=step.branch,
                )
            )
        case flow.Trouble():
            actions.append(trouble(call, step.flow, step.node, step.problem))
        case flow.Say():
            actions += _say(call, step, env)
        case flow.StopSaying():
            actions.append(media.StopPlay(call.call_id, call.a))
        case flow.Secure(is_on=is_on):
            actions += bridged.secure(call, call.legs[call.a], is_on)
        case flow.Ask(hold=hold):
            actions += [_hold(call, hold, env), AskHttp(call.call_id, call.a, token(call), step)]
        case flow.LookUp(hold=hold):
            actions += [_hold(call, hold, env), AskDatabase(call.call_id, call.a, token(call), step)]
        case flow.AskBack():
            actions += [*note_path(call), AskFlowCallback(call.call_id, call.a, token(call), step)]
        case flow.CheckMember():
            actions.append(AskMember(call.call_id, call.a, token(call), step))
        case flow.Survey():
            actions += surveys.take(call, step)
        case flow.Tell(data=data):
            actions += set_data(call, {**data})
        case flow.SpeakLanguage(language=language):
            actions += set_data(call, {"language": language})
        case flow.RankCaller():
            call.is_vip = call.is_vip or step.is_vip
            call.queue_priority = step.priority
            call.queue_skills = tuple(sorted(step.skills.items()))
        case _:
            raise AssertionError(f"nobody carries out {step}")
    return actions


def _say(call: Call, said: flow.Say, env: Environment) -> list[Action]:
    frame = run_of(call).frames[-1]
    actions: list[Action] = [
        trouble(call, frame.program.name, frame.node, f'there is no "{each}"')
        for each in said.sounds
        if isinstance(each, str) and each.startswith(PROMPT) and not env.prompt_sound(each)
    ]
    sounds: list[Sound] = [env.sound(each) if isinstance(each, str) else each for each in said.sounds]
    sources = [each for each in sounds if isinstance(each, str)]
    if len(sources) == len(sounds):
        call.saying = ()
        return [*actions, media.Play(session=call.call_id, leg=call.a, play_id=play_id(call), sources=sources)]
    call.saying = tuple(sounds)
    return [*actions, MakeSpeech(call.call_id, call.a, play_id(call), call.saying)]


def play_made(call: Call, made: SpeechMade, env: Environment) -> list[Action]:
    actions: list[Action] = []
    if made.error:
        frame = run_of(call).frames[-1]
        actions.append(trouble(call, frame.program.name, frame.node, f"text cannot be spoken: {made.error}"))
    # Better a tone than nothing: he must notice that something is missing.
    sources = [source or env.refused for source in made.sources]
    return [*actions, media.Play(session=call.call_id, leg=call.a, play_id=play_id(call), sources=sources)]


def play_again(call: Call) -> list[Action]:
    """A file of speech may have gone a moment ago, or be broken: it is made anew, once."""
    sounds, call.saying = call.saying, ()
    return [MakeSpeech(call.call_id, call.a, play_id(call), sounds, is_anew=True)] if sounds else []


def _hold(call: Call, sound: str, env: Environment) -> media.Play:
    sources = [env.sound(sound, run_of(call).language)]
    return media.Play(session=call.call_id, leg=call.a, play_id=HOLD, sources=sources, is_looped=True)


def replace_sound(call: Call, env: Environment) -> list[Action]:
    """A sound is missing: he hears a tone, and the log and subscribers hear of it."""
    frame = run_of(call).frames[-1]
    return [
        trouble(call, frame.program.name, frame.node, "a sound cannot be played"),
        media.Play(session=call.call_id, leg=call.a, play_id=play_id(call) + REPLACED, sources=[env.refused]),
    ]


def note_path(call: Call) -> list[Action]:
    """The way he came, for screens (IVR-19)."""
    path = run_of(call).path
    told = ""
    for node in reversed(path):
        if len(told) + len(node) + 3 > MAX_PATH:
            break
        told = f"{node} > {told}" if told else node
    return set_data(call, {"ivr_node": path[-1] if path else "", "ivr_path": told})


def ended(call: Call, result: str) -> FlowEnded:
    run = run_of(call)
    frame = run.frames[-1]
    return FlowEnded(
        call_id=call.call_id,
        flow=run.frames[0].program.name,
        version=run.frames[0].program.version,
        at_node=f"{frame.program.name}/{frame.node}",
        result=result,
        n_steps=run.n_steps,
    )


def play_id(call: Call) -> str:
    return f"ivr{call.n_flows}.{run_of(call).n_said}"


def token(call: Call) -> int:
    """Of the request that the flow waits for: one of an earlier flow of the call is another."""
    return call.n_flows * 100_000 + run_of(call).n_steps


def trouble(call: Call, name: str, node: str, problem: str) -> FlowTrouble:
    return FlowTrouble(call_id=call.call_id, flow=name, at_node=node, problem=problem)
