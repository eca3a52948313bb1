"""Handlers of `model.commands_conference`."""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

import msgspec

from control.auth import Caller
from model import commands_conference as conferences
from model import errors, views
from model.causes import HangupCause
from model.declare import Command
from switch.call import Call
from switch.conference_calls import live_room, open_room
from switch.config_conference import Conference
from switch.leg_events import ChangeMember, ChangeRoom, DropLeg, InviteMember, Release
from switch.routing import Origin, Refuse, ToConference, choose_route

if TYPE_CHECKING:
    from switch.app import App


def make_handlers(app: "App") -> dict[type[Command], Callable[[Any, Caller], Awaitable[Any] | Any]]:
    desk = ConferenceDesk(app)
    return {
        conferences.ListConferences: desk.list,
        conferences.GetConference: desk.get,
        conferences.Invite: desk.invite,
        conferences.ChangeMember: desk.change_member,
        conferences.MuteAll: desk.mute_all,
        conferences.Kick: desk.kick,
        conferences.LockConference: desk.lock,
        conferences.EndConference: desk.end,
    }


class ConferenceDesk:
    def __init__(self, app: "App") -> None:
        self._app = app
        self._runtime = app.runtime
        self._calls = app.runtime.calls
        self._env = app.runtime.calls.env

    def list(self, command: conferences.ListConferences, caller: Caller) -> conferences.ConferenceList:
        rooms = [self._view(each) for each in self._env.directory.conferences.values()]
        return conferences.ConferenceList(conferences=[msgspec.structs.replace(room, members=[]) for room in rooms])

    def get(self, command: conferences.GetConference, caller: Caller) -> conferences.ConferenceView:
        return self._view(self._settings(command.conference))

    def invite(self, command: conferences.Invite, caller: Caller) -> conferences.ConferenceView:
        settings = self._settings(command.conference)
        self._app.check_room()
        live = live_room(self._calls.calls.values(), settings.number)
        if live is not None and live.conference is not None:
            n_coming = len(live.conference.members) + len(live.conference.invited)
            if n_coming >= settings.max_members:
                raise errors.WrongState(f"conference {settings.name} is full", state="full")
        decision = choose_route(
            self._env.directory,
            Origin(caller=command.caller_id or settings.number),
            command.to,
            self._runtime.outside.clock() + self._env.wall_offset,
        )
        if isinstance(decision, Refuse):
            raise errors.NoRoute(f"nothing leads to {command.to}: {decision.why}", cause=decision.cause.value)
        if isinstance(decision, ToConference):
            raise errors.NoRoute(f"{command.to} is a conference", cause=HangupCause.NO_ROUTE_DESTINATION.value)

        def ring(now: float) -> list[Any]:
            actions: list[Any] = []
            call = live
            if call is None:
                call = open_room(settings, self._runtime.pool.choose_worker(), now, self._env)
                actions += self._calls.begin(call, now)
            order = InviteMember(
                call.call_id,
                "",
                self._env.ids.token(16),
                command.to,
                command.role,
                command.caller_id,
                command.timeout_s,
            )
            return actions + self._calls.dispatch(order, now)

        self._runtime.run(ring)
        return self._view(settings)

    def change_member(self, command: conferences.ChangeMember, caller: Caller) -> conferences.ConferenceView:
        call = self._member(command.conference, command.leg_id)

        def given(value: Any) -> Any:
            return None if value is msgspec.UNSET else value

        self._runtime.tell(
            ChangeMember(
                call.call_id,
                command.leg_id,
                given(command.role),
                given(command.is_muted),
                given(command.is_deaf),
                given(command.volume),
            )
        )
        return self._view(self._settings(command.conference))

    def mute_all(self, command: conferences.MuteAll, caller: Caller) -> conferences.ConferenceView:
        call = self._live(command.conference)
        self._runtime.tell(ChangeRoom(call.call_id, "", is_everybody_muted=command.is_muted))
        return self._view(self._settings(command.conference))

    def kick(self, command: conferences.Kick, caller: Caller) -> conferences.ConferenceView:
        call = self._member(command.conference, command.leg_id)
        self._runtime.tell(DropLeg(call.call_id, command.leg_id, HangupCause.NORMAL_CLEARING))
        return self._view(self._settings(command.conference))

    def lock(self, command: conferences.LockConference, caller: Caller) -> conferences.ConferenceView:
        call = self._live(command.conference)
        self._runtime.tell(ChangeRoom(call.call_id, "", is_locked=command.is_locked))
        return self._view(self._settings(command.conference))

    def end(self, command: conferences.EndConference, caller: Caller) -> views.Done:
        call = self._live(command.conference)
        self._runtime.tell(Release(call.call_id, "", HangupCause.NORMAL_CLEARING))
        return views.Done()

    # -- finding ------------------------------------------------------------------------------------------------------

    def _settings(self, name: str) -> Conference:
        for each in self._env.directory.conferences.values():
            if each.name == name:
                return each
        raise errors.NoSuchConference(f"no conference {name}")

    def _live(self, name: str) -> Call:
        call = live_room(self._calls.calls.values(), self._settings(name).number)
        if call is None:
            raise errors.NoSuchConference(f"nobody is in conference {name}")
        return call

    def _member(self, name: str, leg_id: str) -> Call:
        call = self._live(name)
        if call.conference is None or leg_id not in call.conference.members:
            raise errors.NoSuchLeg(f"conference {name} has no member {leg_id}")
        return call

    def _view(self, settings: Conference) -> conferences.ConferenceView:
        call = live_room(self._calls.calls.values(), settings.number)
        if call is None or call.conference is None:
            return conferences.ConferenceView(conference=settings.name, number=settings.number, is_live=False)
        room = call.conference
        members = []
        for member in room.members.values():
            leg = call.legs[member.leg_id]
            members.append(
                conferences.MemberView(
                    leg_id=member.leg_id,
                    kind=leg.kind,
                    name=leg.name,
                    number=member.number,
                    role=member.role,
                    state=member.state,
                    is_muted=member.is_muted,
                    is_deaf=leg.is_deaf,
                    volume=leg.gain,
                    is_speaking=member.is_speaking,
                    joined_utc=member.joined_utc,
                )
            )
        return conferences.ConferenceView(
            conference=settings.name,
            number=settings.number,
            is_live=True,
            call_id=call.call_id,
            started_utc=call.created_utc,
            is_locked=room.is_locked,
            is_recorded=call.recording is not None,
            floor=room.floor,
            n_members=len(members),
            members=members,
        )
