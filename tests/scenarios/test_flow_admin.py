"""Whole switch, virtual time: flows drafted, checked, published, rolled back and removed by API while callers are in
them; what is refused and why; all of it there again after a restart; and what became of the callers.

The pure halves are in tests/ivr (test_checks, test_simulation, test_statistics); the same over the wire and with a
killed process in tests/switch/test_cli_flows.py.
"""

import asyncio
from typing import Any

import msgspec
import pytest

from control.auth import Caller
from model import errors
from model.access_numbers import AccessNumber
from model.calendars import Calendar
from model.commands_access import RemoveAccessNumber, RemoveCalendar, SetAccessNumber, SetCalendar
from model.commands_centre import CreateQueue, DeleteQueue, UpdateQueue
from model.commands_flow import (
    CheckFlow,
    FlowStatistics,
    GetFlow,
    GetFlowStatistics,
    ListFlows,
    ListFlowVersions,
    PublishFlow,
    RemoveFlow,
    RollBackFlow,
    SaveFlowDraft,
    SimulateFlow,
)
from model.commands_voicemail import CreateBox, DeleteBox
from model.declare import Command, command_spec
from model.events_flow import FlowEnded, FlowPublished, FlowRemoved, FlowUnfit, FlowVisited
from storage.errors import UnavailableError
from storage.flows import FlowRow
from switch import flows_admin
from switch.directory import Directory
from switch.event_log import LOGGED, record_of
from switch.flow_store import load_published
from tests.harness.virtual_loop import run_virtual
from tests.ivr.flow_of import document, sound
from tests.scenarios.test_ivr import Hotline, spoken

VIEWER = Caller("vic", "viewer")


def menu(text: str, **more: Any) -> dict[str, Any]:
    """A flow that says something of ours, and connects whoever keys 1."""
    node = {"id": "menu", "type": "menu", "say": spoken(text), "choices": {"1": "people"}, "x": 12.5, "y": -3.0}
    made = document(node, {"id": "people", "type": "queue", "queue": "sales"}, **more)
    return {**made, "name": "night"}


def faulty() -> dict[str, Any]:
    node = {"id": "menu", "type": "menu", "say": sound("gone"), "choices": {"1": "people", "2": "nowhere"}}
    made = document(
        node, {"id": "people", "type": "queue", "queue": "nobody_has_it"}, {"id": "lone", "type": "hang_up"}
    )
    return {**made, "name": "night"}


class Editor(Hotline):
    """Keeps its log, as the switch does, so that figures can be asked for."""

    def __init__(self, folder) -> None:
        super().__init__(folder)
        core, n = self.switch.core, 0
        core.directory.file_flows = {**core.directory.flows}
        told = core.runtime.outside.publish

        def publish(event) -> None:
            nonlocal n
            told(event)
            if type(event) in LOGGED:
                n += 1
                self.switch.storage.put(record_of(event, "node", n, self.switch.wall()))

        core.runtime.outside.publish = publish

    @property
    def directory(self) -> Directory:
        return self.switch.core.directory

    async def do(self, kind: type[Command], caller: Caller | None = None, **params: Any) -> Any:
        command = msgspec.convert(params, kind)
        return await (self.app.do(command, caller) if caller is not None else self.app.do(command))

    async def publish(self, flow: dict[str, Any], note: str = "") -> Any:
        await self.do(SaveFlowDraft, flow="night", document=flow)
        return await self.do(PublishFlow, flow="night", note=note)

    async def leads(self, number: str = "4020") -> None:
        await self.app.do(SetAccessNumber(access_number=AccessNumber(number=number, to="ivr:night")))

    async def listed(self, name: str) -> Any:
        return next((each for each in (await self.do(ListFlows)).flows if each.flow == name), None)

    def told(self, kind: type) -> list[Any]:
        return [each for each in self.app.published if isinstance(each, kind)]


def test_xivr_01_callers_stay_in_their_version_and_new_ones_come_to_the_newest(tmp_path):
    async def main():
        centre = Editor(tmp_path)
        with pytest.raises(errors.InvalidValue):
            await centre.leads()
        await centre.do(SaveFlowDraft, flow="night", document=faulty())
        with pytest.raises(errors.FaultyFlow) as refused:
            await centre.do(PublishFlow, flow="night")
        told = {(each["node"], each["field"]) for each in refused.value.data["faults"]}
        assert told == {("menu", "choices.2"), ("menu", "say.0.source"), ("people", "queue"), ("lone", "")}
        assert refused.value.data["n_faults"] == 4
        assert "night" not in centre.directory.flows and not centre.told(FlowPublished)
        assert (await centre.listed("night")).is_used is False

        assert (await centre.publish(menu("for_other"), "first")).version == 1
        await centre.leads()
        first = await centre.call("4020")
        assert centre.played()[-1] == "voice:zh/for_other"
        assert (await centre.publish(menu("will_call_back"))).version == 2
        # The first one is asked again, by the flow that he came to.
        await centre.listen()
        await asyncio.sleep(6.0)
        assert centre.played()[-1] == "voice:zh/for_other"
        await centre.keys("1")
        assert [each.version for each in centre.of(FlowEnded)] == [1]
        await centre.hang_up(first)
        second = await centre.call("4020")
        assert centre.played()[-1] == "voice:zh/will_call_back"
        await centre.hang_up(second)

        view = await centre.do(RollBackFlow, flow="night", version=1)
        assert (view.version, view.note, view.source, view.is_used) == (3, "as version 1", "database", True)
        third = await centre.call("4020")
        assert centre.played()[-1] == "voice:zh/for_other"
        await centre.hang_up(third)
        assert [each.version for each in centre.of(FlowVisited) if each.at_node == "menu"] == [1, 2, 3]
        events = [(each.version, each.by, each.note, each.rolled_back_to) for each in centre.told(FlowPublished)]
        assert events == [(1, "root", "first", 0), (2, "root", "", 0), (3, "root", "as version 1", 1)]
        await centre.close()

    run_virtual(main())


def test_ivr_02_a_document_comes_back_as_it_was_saved(tmp_path):
    async def main():
        centre = Editor(tmp_path)
        before = menu("for_other", title="夜间")
        saved = await centre.do(SaveFlowDraft, flow="night", document=before)
        assert saved.n_faults == 0
        got = await centre.do(GetFlow, flow="night")
        assert (got.document, got.is_draft, got.version, got.saved_by) == (before, True, 0, "root")
        assert list(got.document) == list(before)
        await centre.do(PublishFlow, flow="night", note="x")
        got = await centre.do(GetFlow, flow="night")
        assert (got.document, got.is_draft, got.version, got.note) == (before, False, 1, "x")
        assert (await centre.listed("night")).has_draft is False
        await centre.do(SaveFlowDraft, flow="night", document={"half": "done"})
        assert (await centre.do(GetFlow, flow="night")).document == {"half": "done"}
        assert (await centre.do(GetFlow, flow="night", version=1)).document == before
        view = await centre.listed("night")
        assert (view.has_draft, view.version, view.title, view.n_nodes) == (True, 1, "夜间", 2)
        found = (await centre.do(ListFlowVersions, flow="night")).versions
        assert [(each.version, each.note, each.is_published) for each in found] == [(1, "x", True)]
        for version in (2, 0):
            with pytest.raises(errors.NoSuchFlow):
                await centre.do(GetFlow, flow="night", version=version)
        await centre.do(RemoveFlow, flow="night", is_draft_only=True)
        assert (await centre.do(GetFlow, flow="night")).document == before
        with pytest.raises(errors.NoSuchFlow):
            await centre.do(RemoveFlow, flow="night", is_draft_only=True)
        await centre.close()

    run_virtual(main())


def test_two_who_work_on_one_draft_do_not_undo_each_other(tmp_path):
    async def main():
        centre = Editor(tmp_path)
        mine = await centre.do(SaveFlowDraft, flow="night", document=menu("for_other"))
        theirs = await centre.do(SaveFlowDraft, flow="night", document=menu("will_call_back"), seen_utc=mine.saved_utc)
        with pytest.raises(errors.WrongState):
            await centre.do(SaveFlowDraft, flow="night", document={}, seen_utc=mine.saved_utc)
        await centre.do(SaveFlowDraft, flow="night", document=menu("for_other"), seen_utc=theirs.saved_utc)
        await centre.do(PublishFlow, flow="night")
        with pytest.raises(errors.WrongState):
            await centre.do(SaveFlowDraft, flow="night", document={}, seen_utc=theirs.saved_utc)
        await centre.close()

    run_virtual(main())


def test_what_a_flow_leads_to_and_what_leads_to_a_flow_cannot_be_removed(tmp_path):
    async def main():
        centre = Editor(tmp_path)
        await centre.do(CreateQueue, queue="help", settings={})
        await centre.app.do(SetCalendar(calendar=Calendar(name="hours")))
        flow = {
            **document(
                {"id": "when", "type": "schedule", "calendar": "hours", "working": "people"},
                {"id": "people", "type": "queue", "queue": "help"},
                {"id": "message", "type": "voicemail", "box": "letters"},
                exit="message",
            ),
            "name": "night",
        }
        await centre.do(CreateBox, box="letters", settings={})
        await centre.publish(flow)
        with pytest.raises(errors.InUse) as refused:
            await centre.do(DeleteBox, box="letters")
        assert refused.value.data["users"] == ["flow night"]
        with pytest.raises(errors.InUse) as refused:
            await centre.do(DeleteQueue, queue="help")
        assert refused.value.data["users"] == ["flow night"]
        with pytest.raises(errors.WrongState):
            await centre.do(RemoveCalendar, calendar="hours")
        await centre.leads()
        await centre.do(UpdateQueue, queue="help", settings={"limits": {"timeout_to": "ivr:night"}})
        caller = {**document({"id": "sub", "type": "sub_flow", "flow": "night"}), "name": "outer"}
        await centre.do(SaveFlowDraft, flow="outer", document=caller)
        await centre.do(PublishFlow, flow="outer")
        with pytest.raises(errors.InUse) as refused:
            await centre.do(RemoveFlow, flow="night")
        assert refused.value.data["users"] == ["access number 4020", "queue help", "flow outer"]
        await centre.do(RemoveFlow, flow="outer")
        await centre.do(UpdateQueue, queue="help", settings={"limits": {"timeout_to": ""}})
        await centre.do(RemoveAccessNumber, number="4020")
        await centre.do(RemoveFlow, flow="night")
        assert [each.flow for each in centre.told(FlowRemoved)] == ["outer", "night"]
        assert await centre.listed("night") is None and "night" not in centre.directory.flows
        await centre.do(DeleteQueue, queue="help")
        await centre.do(RemoveCalendar, calendar="hours")
        await centre.do(DeleteBox, box="letters")
        with pytest.raises(errors.NoSuchFlow):
            await centre.do(RemoveFlow, flow="night")
        await centre.close()

    run_virtual(main())


def test_a_published_flow_goes_before_one_of_the_folder_until_it_is_removed(tmp_path):
    async def main():
        centre = Editor(tmp_path)
        view = await centre.listed("main")
        assert (view.source, view.version, view.is_used, view.is_over_file) == ("file", 0, True, False)
        of_file = await centre.do(GetFlow, flow="main", version=0)
        assert of_file.document["nodes"][0]["id"] == "menu" and not of_file.is_draft
        with pytest.raises(errors.InvalidValue):
            await centre.do(RemoveFlow, flow="main")
        await centre.do(SaveFlowDraft, flow="main", document={**menu("will_call_back"), "name": "main"})
        await centre.do(PublishFlow, flow="main")
        view = await centre.listed("main")
        assert (view.source, view.version, view.is_over_file) == ("database", 1, True)
        mine = await centre.call("4010")
        assert centre.played()[-1] == "voice:zh/will_call_back"
        await centre.hang_up(mine)
        await centre.do(RemoveFlow, flow="main")
        assert (await centre.listed("main")).source == "file"
        mine = await centre.call("4010")
        assert centre.played()[-1] == "voice:zh/for_other"
        await centre.hang_up(mine)
        assert [each.version for each in centre.of(FlowEnded)] == [1, 0]
        await centre.close()

    run_virtual(main())


def test_a_caller_finishes_a_flow_that_is_removed_meanwhile(tmp_path):
    async def main():
        centre = Editor(tmp_path)
        await centre.publish(menu("for_other"))
        await centre.leads()
        mine = await centre.call("4020")
        await centre.do(RemoveAccessNumber, number="4020")
        await centre.do(RemoveFlow, flow="night")
        await centre.keys("1")
        assert centre.results() == ["queue"]
        await centre.hang_up(mine)
        # A new one of the name begins anew.
        assert (await centre.publish(menu("will_call_back"))).version == 1
        await centre.close()

    run_virtual(main())


def test_a_start_takes_what_was_published_and_tells_what_does_not_fit_any_more(tmp_path):
    async def main():
        centre = Editor(tmp_path)
        await centre.publish(menu("for_other"))
        await centre.publish(menu("will_call_back"))
        for name, text in (("old", '{"name": "old"}'), ("strange", '{"nodes": [')):
            row = FlowRow(name=name, version=1, document=text, saved_utc=1.0)
            await centre.switch.storage.flows.publish(row, keep=9, is_draft_done=False)
        config, told = centre.switch.config, []
        directory = Directory(config)
        await load_published(centre.switch.storage, config, directory, told.append)
        assert {name: each.version for name, each in directory.flows.items()} == {"night": 2}
        assert [(each.flow, each.is_used) for each in told] == [("old", False), ("strange", False)]
        told.clear()
        del directory.queues["sales"]
        await load_published(centre.switch.storage, config, directory, told.append)
        assert directory.flows["night"].version == 2
        unfit = next(each for each in told if isinstance(each, FlowUnfit) and each.flow == "night")
        assert (unfit.is_used, unfit.faults) == (True, ['people.queue: there is no queue "sales"'])
        await centre.close()

    run_virtual(main())


def test_when_the_database_fails_callers_hear_what_they_heard(tmp_path, monkeypatch):
    async def main():
        centre = Editor(tmp_path)
        await centre.publish(menu("for_other"))
        await centre.do(SaveFlowDraft, flow="night", document=menu("will_call_back"))

        async def fails(*_: Any, **__: Any) -> None:
            raise UnavailableError("disk full")

        book = centre.switch.storage.flows
        for name in ("publish", "save_draft", "remove"):
            monkeypatch.setattr(book, name, fails)
        before = centre.directory.flows["night"]
        for kind, more in (
            (PublishFlow, {}),
            (RollBackFlow, {"version": 1}),
            (SaveFlowDraft, {"document": {}}),
            (RemoveFlow, {}),
        ):
            with pytest.raises(errors.StorageUnavailable):
                await centre.do(kind, flow="night", **more)
            assert centre.directory.flows["night"] is before
        assert len(centre.told(FlowPublished)) == 1 and not centre.told(FlowRemoved)
        await centre.close()

    run_virtual(main())


def test_a_flow_is_checked_and_walked_without_being_saved(tmp_path):
    async def main():
        centre = Editor(tmp_path)
        found = await centre.do(CheckFlow, flow="night", document=faulty())
        assert found.n_faults == len(found.faults) == 4
        assert await centre.listed("night") is None
        wrong_name = await centre.do(CheckFlow, flow="day", document=menu("for_other"))
        assert [(each.node, each.field) for each in wrong_name.faults] == [("", "name")]
        walked = await centre.do(SimulateFlow, flow="night", document=menu("for_other"), say=["1"])
        assert (walked.end, walked.path) == ("queue", ["night/menu", "night/people"])
        assert [(each.what, each.at_node) for each in walked.steps][:2] == [("node", "menu"), ("hears", "menu")]
        # What it names need not be there yet.
        assert (
            await centre.do(
                SimulateFlow, flow="night", document={**faulty(), "nodes": faulty()["nodes"][1:2], "start": "people"}
            )
        ).end == "queue"
        with pytest.raises(errors.FaultyFlow):
            await centre.do(SimulateFlow, flow="night", document=faulty())
        with pytest.raises(errors.NoSuchFlow):
            await centre.do(SimulateFlow, flow="night")
        of_file = await centre.do(SimulateFlow, flow="main", say=["2"], replies=[{"usage": 12}])
        assert of_file.end == "ended" and "main/tell" in of_file.path
        await centre.close()

    run_virtual(main())


def test_nothing_grows_without_bound(tmp_path, monkeypatch):
    async def main():
        centre = Editor(tmp_path)
        monkeypatch.setattr(flows_admin, "MAX_FLOWS", 2)
        monkeypatch.setattr(flows_admin, "MAX_VERSIONS", 2)
        with pytest.raises(errors.InvalidValue) as refused:
            await centre.do(SaveFlowDraft, flow="night", document={"x": "y" * flows_admin.MAX_BYTES})
        assert refused.value.data["field"] == "document"
        for _ in range(4):
            await centre.publish(menu("for_other"))
        assert [each.version for each in (await centre.do(ListFlowVersions, flow="night")).versions] == [4, 3]
        with pytest.raises(errors.NoSuchFlow):
            await centre.do(RollBackFlow, flow="night", version=1)
        await centre.do(SaveFlowDraft, flow="second", document={})
        with pytest.raises(errors.InvalidValue):
            await centre.do(SaveFlowDraft, flow="third", document={})
        await centre.do(SaveFlowDraft, flow="second", document={"a": 1})
        await centre.close()

    run_virtual(main())


def test_who_may_see_figures_may_not_read_or_change_flows(tmp_path):
    async def main():
        centre = Editor(tmp_path)
        await centre.publish(menu("for_other"))
        assert (await centre.do(ListFlows, VIEWER)).flows
        assert (await centre.do(ListFlowVersions, VIEWER, flow="night")).versions
        for kind, more in ((GetFlow, {}), (PublishFlow, {}), (RemoveFlow, {}), (SimulateFlow, {})):
            with pytest.raises(errors.PermissionDenied):
                await centre.do(kind, VIEWER, flow="night", **more)
        assert [command_spec(kind).is_audited for kind in (PublishFlow, RollBackFlow, RemoveFlow)] == [True] * 3
        assert not command_spec(SaveFlowDraft).is_audited
        await centre.close()

    run_virtual(main())


def test_xivr_10_what_became_of_callers_and_where_they_were_lost(tmp_path):
    async def main():
        centre = Editor(tmp_path)
        begin_utc = centre.switch.wall()
        served = await centre.call()
        await centre.keys("1")
        await centre.hang_up(served)
        lost = await centre.call()
        await centre.keys("3")
        await centre.hang_up(lost)
        patient = await centre.call()
        await centre.keys("9")
        await asyncio.sleep(0.2)
        await centre.hang_up(patient)
        inside = await centre.call()
        end_utc = centre.switch.wall() + 0.001
        found: FlowStatistics = await centre.do(
            GetFlowStatistics, VIEWER, flow="main", start_utc=begin_utc, end_utc=end_utc
        )
        assert (found.calls, found.to_queue, found.hung_up, found.contained, found.unfinished) == (4, 1, 2, 0, 1)
        assert found.versions == {"0": 4}
        nodes = {each.at_node: each for each in found.nodes}
        assert (nodes["menu"].visits, nodes["menu"].dropped) == (4, 1)
        assert nodes["menu"].branches == {"1": 1, "3": 1}
        assert (nodes["secret"].visits, nodes["secret"].dropped, nodes["secret"].kind) == (1, 1, "collect")
        await centre.hang_up(inside)
        await asyncio.sleep(1.0)
        # How it ended is known, however long after.
        again = await centre.do(GetFlowStatistics, VIEWER, flow="main", start_utc=begin_utc, end_utc=end_utc)
        assert (again.calls, again.hung_up, again.unfinished) == (4, 3, 0)
        other = await centre.do(GetFlowStatistics, VIEWER, flow="none", start_utc=begin_utc, end_utc=end_utc)
        assert (other.calls, other.nodes) == (0, [])
        for end in (begin_utc, begin_utc + 32 * 86_400.0):
            with pytest.raises(errors.InvalidValue):
                await centre.do(GetFlowStatistics, VIEWER, flow="main", start_utc=begin_utc, end_utc=end)
        await centre.close()

    run_virtual(main())
