"""Handles `call.originate`."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from model import errors
from model.commands_originate import Originate
from switch.call import Call
from switch.calls import NoRouteError
from switch.ring_plan import Confirm, OriginateOptions

if TYPE_CHECKING:
    from switch.app import App


def originate(app: "App", command: Originate, as_source: Callable[[str], str]) -> Call:
    """Places the call. `as_source` checks and completes a source to be played.

    Raises:
        errors.Draining, errors.Congested: no new call can be taken.
        errors.InvalidValue: no such campaign, a source that is none, or a conference room as a party.
        errors.NoRoute: nothing leads to any first party.
    """
    app.check_room()
    _refuse_rooms(app, command)
    calls, runtime = app.runtime.calls, app.runtime
    options = _options(app, command, as_source)
    variables = {"campaign": command.campaign, **command.variables} if command.campaign else command.variables
    call: Call | None = None

    def begin(now: float) -> Sequence[Any]:
        nonlocal call
        call, actions = calls.originate(
            first=command.from_,
            second=command.to,
            caller_id=command.caller_id,
            ring_timeout_s=command.timeout_s,
            variables=variables,
            record=command.record,
            has_ringback=command.play_ringback,
            worker=runtime.pool.choose_worker(),
            now=now,
            options=options,
        )
        return actions

    try:
        runtime.run(begin)
    except NoRouteError as error:
        parties = ", ".join((command.from_, *command.also_from))
        raise errors.NoRoute(f"nothing leads to {parties}", cause=error.cause.value) from None
    assert call is not None
    return call


def _refuse_rooms(app: "App", command: Originate) -> None:
    """A room is nobody who can be rung: refused before anybody else is."""
    rooms = app.runtime.calls.env.directory.conferences
    for field, parties in (("from", (command.from_, *command.also_from)), ("to", (command.to, *command.also_to))):
        for party in parties:
            if party in rooms:
                raise errors.InvalidValue(
                    f"{party} is a conference room, which cannot be rung: conference.invite brings parties into it",
                    field=field,
                )


def _options(app: "App", command: Originate, as_source: Callable[[str], str]) -> OriginateOptions:
    campaign = app.runtime.calls.env.directory.campaigns.get(command.campaign)
    if command.campaign and campaign is None:
        raise errors.InvalidValue(f'there is no campaign "{command.campaign}"', field="campaign")
    confirm = None
    if command.confirm:
        sources = tuple(as_source(source) for source in command.confirm_sources)
        confirm = Confirm(digit=command.confirm_digit, sources=sources, timeout_s=command.confirm_timeout_s)
    return OriginateOptions(
        also_from=tuple(command.also_from),
        also_to=tuple(command.also_to),
        strategy=command.strategy,
        from_caller_id=command.from_caller_id,
        campaign_caller_id=campaign.caller_id if campaign is not None else "",
        caller_name=command.caller_name or (campaign.caller_name if campaign is not None else ""),
        hears=command.progress,
        confirm=confirm,
        confirms=command.confirm,
        max_duration_s=command.max_duration_s,
    )
