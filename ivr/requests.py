"""What flows ask of others and must wait for, and what they make of the answer (IVR-14, IVR-22, XIVR-03). Pure."""

from collections.abc import Mapping
from urllib.parse import quote

from ivr import run as flow
from ivr.expression import ExpressionError, Value, convert, show
from ivr.program import fill
from ivr.queries import parameters
from ivr.walk import Walk
from model.flows import CallMeBack, Http, Lookup, MemberCheck

_GRACE_S = 2.0
"""An answer that should have come is waited for so much longer."""


Request = Http | Lookup | MemberCheck | CallMeBack
_CHECK_S = 15.0


def ask(walk: Walk, node: Request) -> None:
    match node:
        case Http():
            _ask_http(walk, node)
        case Lookup():
            _look_up(walk, node)
        case CallMeBack(queue=queue, number=number, priority=priority):
            variables = walk.frame().variables
            walk.wait("reply", _CHECK_S)
            walk.actions.append(flow.AskBack(queue, show(variables[number]).strip() if number else "", priority))
        case MemberCheck(member=member, password=password):
            variables = walk.frame().variables
            walk.wait("reply", _CHECK_S)
            walk.actions.append(flow.CheckMember(show(variables[member]), show(variables[password])))
            variables[password] = ""


def replied(walk: Walk, node: Request, reply: flow.Replied) -> None:
    match node:
        case Http() | Lookup():
            _found(walk, node, reply)
        case CallMeBack():
            _booked(walk, node, reply)
        case MemberCheck():
            _checked(walk, node, reply)


def _booked(walk: Walk, node: CallMeBack, reply: flow.Replied) -> None:
    if reply.error:
        walk.actions.append(flow.Trouble(walk.frame().program.name, node.id, reply.error))
    branch = "failed" if reply.error else "next"
    walk.follow(node, branch, getattr(node, branch))


def _checked(walk: Walk, node: MemberCheck, reply: flow.Replied) -> None:
    frame = walk.frame()
    if reply.error:
        walk.actions.append(flow.Trouble(frame.program.name, node.id, reply.error))
    if reply.outcome == "ok":
        walk.actions.append(flow.Tell({"member": show(frame.variables[node.member])}))
    outcome = reply.outcome if reply.outcome in ("ok", "wrong", "locked") and not reply.error else "failed"
    walk.follow(node, outcome, getattr(node, outcome))


def _look_up(walk: Walk, node: Lookup) -> None:
    variables = walk.frame().variables
    walk.wait("reply", node.timeout_s + _GRACE_S)
    walk.actions.append(
        flow.LookUp(
            source=node.source,
            query=node.query,
            values={name: variables[name] for name in parameters(node.query)},
            picks=dict(node.picks),
            timeout_s=node.timeout_s,
            hold=node.hold,
        )
    )


def _ask_http(walk: Walk, node: Http) -> None:
    variables = walk.frame().variables
    walk.wait("reply", node.timeout_s * (node.retries + 1) + _GRACE_S)
    walk.actions.append(
        flow.Ask(
            method=node.method,
            url=fill(node.url, variables, lambda text: quote(text, safe="")),
            headers={name: _one_line(fill(text, variables)) for name, text in node.headers.items()},
            body={name: fill(text, variables) for name, text in node.body.items()} if node.body else None,
            picks=dict(node.picks),
            timeout_s=node.timeout_s,
            retries=node.retries,
            hold=node.hold,
        )
    )


def _found(walk: Walk, node: Http | Lookup, reply: flow.Replied) -> None:
    frame = walk.frame()
    problem = reply.error
    walk.actions.append(flow.StopSaying())
    if isinstance(node, Lookup) and reply.outcome == "none" and not problem:
        walk.follow(node, "none", node.none)
        return
    found: dict[str, Value] = {}
    for name, path in node.picks.items():
        if problem:
            break
        if name not in reply.found:
            problem = "" if path.endswith("?") else f"the answer has no {path}"
            continue
        try:
            found[name] = convert(reply.found[name], frame.program.kinds[name])
        except ExpressionError as error:
            problem = f"{path}: {error}"
    if problem:
        walk.actions.append(flow.Trouble(frame.program.name, node.id, problem))
        walk.follow(node, "failed", node.failed)
        return
    frame.variables.update(found)
    walk.follow(node, "next", node.next)


def pick(document: object, paths: Mapping[str, str]) -> dict[str, str]:
    """Variable -> text of what its path leads to in a JSON document; what is not there, or no plain value, is left
    out."""
    found = {}
    for name, path in paths.items():
        at = document
        for part in path.removesuffix("?").split("."):
            if isinstance(at, dict):
                at = at.get(part)
            elif isinstance(at, list) and part.isdecimal() and int(part) < len(at):
                at = at[int(part)]
            else:
                at = None
        if isinstance(at, bool):
            found[name] = "true" if at else "false"
        elif isinstance(at, str | int | float):
            found[name] = str(at)
    return found


def _one_line(text: str) -> str:
    return " ".join(text.split())
