"""The questions of flows (IVR-03, IVR-15, XIVR-05): a key that chooses, digits, something said; asked again, and given
up. Pure."""

from ivr import run as flow
from ivr.walk import MAX_SAYING_S, Walk
from model.flows import Collect, Listen, Menu, Piece, Satisfaction

Question = Menu | Collect | Listen | Satisfaction
_WAITS: dict[type, flow.Wait] = {Menu: "key", Collect: "digits", Listen: "speech", Satisfaction: "key"}
_GRACE_S = 15.0
"""For what was said to be understood."""


def ask_for_answer(walk: Walk, node: Satisfaction) -> str | None:
    """Nobody is asked twice how he was served."""
    if not node.question:
        if walk.run.is_rated or not walk.world.may_rate():
            return walk.left(node, "next", node.next)
        walk.run.is_rated = True
    walk.actions.append(flow.Survey(node.question, "asked"))
    return ask(walk, node, ())


def ask(walk: Walk, node: Question, before: tuple[Piece, ...]) -> str | None:
    run = walk.run
    wait = _WAITS[type(node)]
    if run.typed:
        typed, run.typed = run.typed, ""
        run.waits_for = wait
        walk.until(node.first_digit_s if wait == "key" else MAX_SAYING_S)
        _use_typed(walk, node, typed)
        return None
    if walk.say((*before, *node.say)):
        walk.wait(wait, MAX_SAYING_S)
    else:
        walk.wait(wait, node.first_digit_s)
        if isinstance(node, Listen):
            hear(walk, node)
    return None


def hear(walk: Walk, node: Listen) -> None:
    """The question is asked: now he may say something."""
    run = walk.run
    run.n_heard += 1
    run.is_hearing = True
    walk.wait("speech", node.first_digit_s + node.max_s + _GRACE_S)
    walk.actions.append(
        flow.Hear(run.n_heard, run.language, node.hints, node.first_digit_s, node.silence_s, node.max_s)
    )


def heard(walk: Walk, node: Listen, text: str, error: str = "") -> None:
    frame = walk.frame()
    if error:
        walk.actions.append(flow.Trouble(frame.program.name, node.id, error))
        walk.follow(node, "failed", node.failed)
        return
    if not text:
        again(walk, node, "no_input")
        return
    before = frame.variables[node.variable]
    frame.variables[node.variable] = text
    if _accepts(walk, node):
        walk.follow(node, "next", node.next)
    else:
        frame.variables[node.variable] = before
        again(walk, node, "no_match")


def _use_typed(walk: Walk, node: Question, typed: str) -> None:
    """Keys that came before the question."""
    if isinstance(node, Listen):
        walk.give_back(typed[1:])
        heard(walk, node, typed[0])
        return
    for i, digit in enumerate(typed):
        if walk.frame().node != node.id or walk.run.waits_for not in ("key", "digits"):
            walk.give_back(typed[i:])
            return
        if not isinstance(node, Collect):
            # What comes after the choice is for whatever it leads to.
            walk.give_back(typed[i + 1 :])
            choose(walk, node, digit)
            return
        n_tries = walk.run.n_tries
        is_last = _is_last(walk, node, digit)
        if is_last:
            walk.give_back(typed[i + 1 :])
        gather(walk, node, digit)
        if is_last or walk.run.n_tries != n_tries:
            return


def _is_last(walk: Walk, node: Collect, digit: str) -> bool:
    return digit in node.terminators or len(walk.run.digits) + 1 >= node.max_digits


def choose(walk: Walk, node: Menu | Satisfaction, digit: str) -> None:
    if isinstance(node, Satisfaction):
        _answer(walk, node, digit)
        return
    to = node.choices.get(digit)
    if to is None:
        again(walk, node, "no_match")
    else:
        walk.follow(node, digit, to)


def _answer(walk: Walk, node: Satisfaction, digit: str) -> None:
    answer = node.answers.get(digit)
    if answer is None:
        again(walk, node, "no_match")
        return
    walk.actions.append(flow.Survey(node.question, answer, digit))
    if digit in node.choices:
        walk.follow(node, digit, node.choices[digit])
    else:
        walk.follow(node, "next", node.next)


def gather(walk: Walk, node: Collect, digit: str) -> None:
    run = walk.run
    if digit in node.terminators:
        gathered(walk, node)
        return
    run.digits += digit
    if len(run.digits) >= node.max_digits:
        gathered(walk, node)
    else:
        walk.until(node.next_digit_s)


def gathered(walk: Walk, node: Collect) -> None:
    run = walk.run
    frame = walk.frame()
    if not run.digits:
        again(walk, node, "no_input")
        return
    digits, run.digits = run.digits, ""
    before = frame.variables[node.variable]
    frame.variables[node.variable] = digits
    if len(digits) < node.min_digits or not _accepts(walk, node):
        frame.variables[node.variable] = before
        again(walk, node, "no_match")
        return
    if node.is_secret:
        walk.secure(False)
    walk.follow(node, "next", node.next)


def _accepts(walk: Walk, node: Collect | Listen) -> bool:
    return not node.accept or walk.work_out(node, node.accept) is True


def again(walk: Walk, node: Question, why: str) -> None:
    """Nothing, or nothing that fits: asks once more, or goes on without."""
    run = walk.run
    run.n_tries += 1
    run.typed = run.digits = ""
    if run.n_tries > node.retries:
        if isinstance(node, Collect) and node.is_secret:
            walk.secure(False)
        if isinstance(node, Satisfaction):
            walk.actions.append(flow.Survey(node.question, "wrong_key" if why == "no_match" else "none"))
        walk.follow(node, why, node.no_input if why == "no_input" else node.no_match)
        return
    if isinstance(node, Satisfaction) and why == "no_match":
        walk.actions.append(flow.Survey(node.question, "asked_again"))
    ask(walk, node, node.no_input_say if why == "no_input" else node.no_match_say)
