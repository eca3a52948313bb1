"""switch/imports.py, imports_desk.py, import_sources.py, list_reader.py, list_files.py: lists from CSV and Excel, good
and bad, into campaigns, customers and do-not-call lists; each with the process that reads it.

What stands in single cells is in test_list_cells.py.
"""

import asyncio
import io
import sys
import zipfile
from pathlib import Path

import pytest

from dialer.inputs import NumberBarred, RecordsChange
from model import errors
from model.commands_imports import (
    MAX_LIST,
    AddCustomers,
    CancelImport,
    FindRejected,
    GetImport,
    ListImports,
    StartImport,
    UploadList,
)
from model.commands_lists import ListLists
from storage.barred import DncFilter
from storage.campaign_records import RecordFilter
from storage.customers import CustomerFilter
from storage.errors import UnavailableError
from storage.storage import Storage
from switch import import_sources, list_files
from switch.list_files import ListFault, rows_of
from tests.switch.list_rig import Raw, Rig, until, write_xlsx

CSV = """姓名,手机,家庭电话,城市,优先级,同意,回拨时间
王芳,13800138000,021-88886666,上海,5,是,2027-02-01 09:30
李四,13900139000,,北京,,,
"""


def records_of(rig: Rig, campaign: str = "spring"):
    return rig.storage.records.find(RecordFilter(campaign=campaign), limit=1000)


def test_out_08_a_list_becomes_records(tmp_path: Path) -> None:
    async def main() -> None:
        rig = Rig(tmp_path)
        done = await rig.bring_in(CSV.encode())
        assert (done.state, done.n_rows, done.n_added, done.n_refused, done.n_rejections) == ("finished", 2, 2, 0, 0)
        assert done.columns[:3] == [("姓名", "name"), ("手机", "number"), ("家庭电话", "number")]
        first, second = (await records_of(rig)).items
        assert (first.name, first.row, first.list_name, first.priority, first.has_consent) == (
            "王芳",
            2,
            "may",
            5,
            True,
        )
        assert [(each.number, each.label, each.zone) for each in first.numbers] == [
            ("+8613800138000", "mobile", "Asia/Shanghai"),
            ("+862188886666", "home", "Asia/Shanghai"),
        ]
        assert (first.numbers[0].area, first.numbers[1].area) == ("北京市", "上海市")
        assert first.data == {"城市": "上海"}
        assert (first.status, first.deferred, first.next_utc) == ("callback", "callback", first.callback_utc)
        assert first.callback_utc == 1_801_445_400.0
        assert (second.name, second.status, second.priority, second.has_consent) == ("李四", "new", 0, False)
        assert rig.told == [RecordsChange(campaign="spring")]
        assert (await rig.do(ListLists(campaign="spring"))).lists[0].n_records == 2
        # Once more: nothing is doubled.
        again = await rig.bring_in(CSV.encode())
        assert (again.n_added, again.n_refused) == (0, 2)
        assert {reason for _, _, reason in await rig.reasons(again.import_id)} == {"duplicate"}
        assert len((await records_of(rig)).items) == 2
        assert rig.told == [RecordsChange(campaign="spring")]
        assert rig.files == [".json", ".json", ".rejected"]
        await rig.stop()
        # Whose numbers these are is nobody else's business on the machine.
        assert {path.stat().st_mode & 0o777 for path in tmp_path.iterdir()} == {0o600}  # noqa: ASYNC240

    asyncio.run(main())


@pytest.mark.parametrize(
    ("encoding", "separator"),
    [("utf-8", ","), ("utf-8-sig", ";"), ("gb18030", ","), ("gbk", "\t"), ("utf-16", "\t"), ("utf-8", "，")],
)
def test_csv_of_every_kind(tmp_path: Path, encoding: str, separator: str) -> None:
    text = '姓名,手机,备注\r\n"王, 芳",13800138000,"a\r\nb ""c"""\r\n\r\n李四,13900139000,\r\n'
    if separator != ",":
        text = text.replace("王, 芳", "王 芳").replace(",", separator)
    path = tmp_path / "list.csv"
    path.write_bytes(text.encode(encoding))
    rows = [(row, list(cells)) for row, cells in rows_of(str(path))]
    name = "王, 芳" if separator == "," else "王 芳"
    assert rows == [
        (1, ["姓名", "手机", "备注"]),
        (2, [name, "13800138000", 'a\r\nb "c"']),
        (4, ["李四", "13900139000"]),
    ]


def test_every_bad_row_is_told_and_the_good_ones_are_kept(tmp_path: Path) -> None:
    rows = [
        ["name", "mobile", "home phone", "consent", "callback", "time zone", "prio", "agent", "x"],
        ["good", 13800138000, None, "yes", "2027-02-01 12:00", "Asia/Urumqi", 3, "8001", "1"],
        ["no number", None, None],
        ["short", "12345"],
        ["text", "call me"],
        ["emergency", 110],
        ["emergency of this switch", "96110"],
        ["twice in the file", 13800138000.0],
        ["twice here", "13900139000", "138 0013 8000"],
        ["formula without a source", Raw('<c r="PLACE" t="e"><f>Sheet9!A1</f><v>#REF!</v></c>')],
        ["formula with a value", Raw('<c r="PLACE"><f>13700137000+1</f><v>13700137001</v></c>')],
        ["formula never calculated", Raw('<c r="PLACE"><f>13700137000+2</f></c>')],
        ["as Excel rounds it", "1.38E+10"],
        ["zone", "13700137002", None, None, None, "Moon/Base"],
        ["date", "13700137003", None, None, "soon"],
        ["consent", "13700137004", None, "perhaps"],
        ["priority", "13700137005", None, None, None, None, "very"],
        ["agent", "13700137006", None, None, None, None, None, "9999"],
        ["y" * 201, "13700137007"],
        ["remark", "13700137008", None, None, None, None, None, None, "z" * 1001],
        ["boolean", Raw('<c r="PLACE" t="b"><v>1</v></c>')],
        ["known", "13600136000"],
        ["barred", "13500135000", "13500135001"],
        ["half barred", "13500135002", "13400134000"],
        ["=HYPERLINK(1)", "13300133000"],
    ]
    write_xlsx(tmp_path / "bad.xlsx", rows)

    async def main() -> None:
        rig = Rig(tmp_path / "in")
        await rig.bring_in(b"tel\n13600136000\n", list_name="before")
        await rig.bring_in(b"number,reason\n13500135000,asked\n13500135001,\n13500135002,\n", target="dnc", campaign="")
        done = await rig.bring_in((tmp_path / "bad.xlsx").read_bytes(), mapping={"PRIO": "priority"})
        assert (done.state, done.n_rows, done.n_added) == ("finished", 24, 5)
        assert done.n_refused == 19
        assert await rig.reasons(done.import_id) == [
            (3, "", "no_number"),
            (4, "mobile", "impossible_number"),
            (5, "mobile", "not_a_number"),
            (6, "mobile", "emergency_number"),
            (7, "mobile", "emergency_number"),
            (8, "mobile", "duplicate_in_file"),
            (9, "home phone", "duplicate_in_file"),
            (10, "mobile", "formula_error"),
            (12, "", "no_number"),
            (13, "mobile", "rounded_number"),
            (14, "time zone", "bad_time_zone"),
            (15, "callback", "bad_date"),
            (16, "consent", "bad_consent"),
            (17, "prio", "bad_priority"),
            (18, "owner", "unknown_agent"),
            (19, "name", "too_long"),
            (20, "x", "too_long"),
            (21, "mobile", "not_a_number"),
            (22, "mobile", "duplicate"),
            (23, "mobile", "on_dnc_list"),
            (23, "home phone", "on_dnc_list"),
            (24, "mobile", "on_dnc_list"),
        ]
        page = await rig.do(FindRejected(import_id=done.import_id, limit=7))
        assert [each.is_kept for each in page.rejections] == [False] * 6 + [True]
        rest = await rig.do(FindRejected(import_id=done.import_id, cursor=page.cursor))
        assert (len(rest.rejections), rest.cursor, rest.rejections[-1].is_kept) == (15, "", True)
        found = {record.name: record for record in (await records_of(rig)).items}
        assert set(found) == {"", "good", "twice here", "formula with a value", "half barred", "=HYPERLINK(1)"}
        good = found["good"]
        assert (good.numbers[0].zone, good.owner, good.has_consent, good.priority) == ("Asia/Urumqi", "8001", True, 3)
        assert [each.number for each in found["half barred"].numbers] == ["+8613400134000"]
        assert found["formula with a value"].numbers[0].number == "+8613700137001"
        with pytest.raises(errors.InvalidValue):
            await rig.do(FindRejected(import_id=done.import_id, cursor="x"))
        with pytest.raises(errors.InvalidValue):
            await rig.do(FindRejected(import_id=done.import_id, cursor="3"))
        await rig.stop()

    asyncio.run(main())


def test_a_list_of_100_000_rows(tmp_path: Path) -> None:
    """Numbers as numbers and as text, formulas, impossible and doubled ones; the loop goes on meanwhile."""

    def rows():
        yield ["姓名", "手机", "备注"]
        for k in range(100_000):
            number = 13_800_000_000 + k
            cells = (number, float(number), str(number), f"+86 {number}", f"'{number}", number, number, number)
            cell = cells[k % 8]
            if k % 100 == 96:
                cell = "12345"
            elif k % 100 == 97:
                cell = 13_800_000_000 + k - 1000 if k > 1000 else 13_800_000_000
            elif k % 100 == 98:
                cell = Raw('<c r="PLACE" t="e"><v>#REF!</v></c>')
            elif k % 100 == 99:
                cell = None
            yield [f"王{k}", cell, "x" if k % 2 else None]

    write_xlsx(tmp_path / "big.xlsx", rows())

    async def main() -> None:
        storage = await Storage.open(str(tmp_path / "db"))
        rig = Rig(tmp_path / "in", storage)
        ticks = 0

        async def tick() -> None:
            nonlocal ticks
            while True:
                await asyncio.sleep(0.005)
                ticks += 1

        ticking = asyncio.create_task(tick())
        done = await rig.bring_in((tmp_path / "big.xlsx").read_bytes())
        ticking.cancel()
        assert (done.state, done.problem, done.n_rows) == ("finished", "", 100_000)
        counts = await storage.records.counts("spring")
        assert counts.n_records == done.n_added
        reasons: dict[str, int] = {}
        cursor = ""
        while True:
            found, cursor = await rig.imports.rejections(done.import_id, cursor, 1000)
            for each in found:
                reasons[each.reason] = reasons.get(each.reason, 0) + 1
            if not cursor:
                break
        assert reasons["impossible_number"] == reasons["formula_error"] == reasons["no_number"] == 1000
        # Row k - 1000 of the same hundred-pattern was itself refused or doubled: only those that were taken count.
        assert sum(reasons.values()) == done.n_refused == 100_000 - done.n_added
        assert done.n_added >= 96_000
        assert ticks > 100
        due = await storage.records.take_due("spring", 3, 0.0)
        assert [record.row for record in due.records] == [2, 3, 4]
        await rig.stop()

    asyncio.run(main())


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "the file is empty"),
        (b"\n\n  \n", "the list has no rows"),
        (b"name,city\nA,B\n", "no column is called number"),
        (b"\x00\x01\x02\x03binary", "is no text in UTF-8 or GB18030"),
        (b"\xff\xfe\x00\xd8\x00", "begins as utf-16 text and is none"),
        (b"%PDF-1.7", "neither CSV nor Excel"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "old Excel file"),
        (b"PK\x03\x04 broken", "is no Excel file"),
        (b"tel\n" + b'"' + b"1" * 200_000, "row 2 cannot be read"),
        (b"tel," + b",".join(b"c%d" % k for k in range(100)) + b"\n", "row 1 has 101 columns"),
        (b"tel,x\n1," + b"y" * 40_000, "a cell of row 2 has more than 32,767 characters"),
    ],
)
def test_files_that_are_no_lists(tmp_path: Path, content: bytes, says: str) -> None:
    async def main() -> None:
        rig = Rig(tmp_path)
        done = await rig.bring_in(content)
        assert (done.state, done.n_added) == ("failed", 0)
        assert says in done.problem
        assert rig.files == [".json"]
        await rig.stop()

    asyncio.run(main())


def zipped(**parts: bytes) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            archive.writestr(name.replace("__", "/").replace("_xml", ".xml"), content)
    return made.getvalue()


def fault_of(path: Path) -> str:
    with pytest.raises(ListFault) as refused:
        list(rows_of(str(path)))
    return str(refused.value)


def test_excel_files_that_are_made_to_harm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "x.xlsx"
    path.write_bytes(zipped(word__document_xml=b"<x/>"))
    assert "no Excel file" in fault_of(path)
    path.write_bytes(zipped(xl__workbook_xml=b"<x/>"))
    assert "damaged" in fault_of(path)
    write_xlsx(path, [["tel"], ["13800138000"]])
    good = path.read_bytes()
    path.write_bytes(good[: len(good) // 2])
    assert "no Excel file" in fault_of(path)
    monkeypatch.setattr(list_files, "MAX_UNPACKED", 300)
    path.write_bytes(good)
    assert "too big: unpacked" in fault_of(path)
    monkeypatch.undo()
    monkeypatch.setattr(list_files, "MAX_PART", 100)
    assert "too big: " in fault_of(path)
    monkeypatch.undo()
    monkeypatch.setattr(list_files, "MAX_ROWS", 1)
    assert "more than 1 rows" in fault_of(path)
    monkeypatch.undo()
    # A size that is stated does not make rows of sixteen thousand empty cells.
    write_xlsx(path, [["tel"], ["13800138000"]], dimension="A1:XFD1048576")
    assert list(rows_of(str(path))) == [(1, ("tel",)), (2, ("13800138000",))]
    with pytest.raises(ListFault, match='there is no sheet "June"; there are: 名单'):
        list(rows_of(str(path), "June"))
    assert len(list(rows_of(str(path), "名单"))) == 2
    # Entities that grow without end.
    bomb = b'<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa">' + b"".join(
        b'<!ENTITY %c "%s">' % (98 + k, b"&%c;" % (97 + k) * 10) for k in range(8)
    )
    bomb += b']><worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData><row r="1">'
    bomb += b'<c r="A1" t="inlineStr"><is><t>&i;</t></is></c></row></sheetData></worksheet>'
    with zipfile.ZipFile(io.BytesIO(good)) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    parts["xl/worksheets/sheet1.xml"] = bomb
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    assert fault_of(path)


@pytest.mark.parametrize(
    ("program", "says"),
    [
        ("import os; os.abort()", "broke its reader"),
        ("import sys; sys.stdout.buffer.write(b'x' * 100); sys.stdout.flush()", "broke its reader"),
        ("import sys; sys.stdout.buffer.write(b'\\0\\0\\0\\2xx'); sys.stdout.flush()", "broke its reader"),
        ("import time; time.sleep(60)", "nothing of it within"),
    ],
)
def test_a_reader_that_breaks_breaks_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, program: str, says: str
) -> None:
    stub = tmp_path / "python"
    stub.write_text(f"#!{sys.executable}\n{program}\n")
    stub.chmod(0o700)
    monkeypatch.setattr(import_sources.sys, "executable", str(stub))
    monkeypatch.setattr(import_sources, "SILENT_S", 1.0)

    async def main() -> None:
        rig = Rig(tmp_path / "in")
        done = await rig.bring_in(CSV.encode())
        assert done.state == "failed"
        assert says in done.problem
        await rig.stop()

    asyncio.run(main())


def test_lists_without_titles_and_as_somebody_says(tmp_path: Path) -> None:
    async def main() -> None:
        rig = Rig(tmp_path)
        done = await rig.bring_in("王,13800138000\n李,13900139000\n".encode(), has_titles=False)
        assert (done.n_added, done.columns) == (2, [("A", "data"), ("B", "number")])
        mapping = {"A": "name", "B": "number", "C": "ignore"}
        done = await rig.bring_in("赵,13700137000,x\n".encode(), has_titles=False, mapping=mapping)
        assert done.n_added == 1
        done = await rig.bring_in(b"who,ext\nA,8001\n", mapping={"ext": "number"}, may_be_internal=True)
        assert done.n_added == 1
        records = (await records_of(rig)).items
        assert [(record.name, record.numbers[0].number) for record in records] == [
            ("", "+8613800138000"),
            ("", "+8613900139000"),
            ("赵", "+8613700137000"),
            ("", "8001"),
        ]
        assert records[2].data == {}
        settings = {"has_consent": True, "priority": 4, "owner": "8001"}
        await rig.bring_in(b"tel\n13600136000\n", campaign="fall", **settings)
        (record,) = (await records_of(rig, "fall")).items
        assert (record.has_consent, record.priority, record.owner) == (True, 4, "8001")
        await rig.stop()

    asyncio.run(main())


def test_customers_come_in_and_become_records(tmp_path: Path) -> None:
    """OUT-07, OUT-26: records from customers, by tag, owner, area or one by one."""
    table = (
        "姓名,手机,标签,等级,坐席,公司,同意\n王芳,13800138000,vip,gold,8001,Acme,是\n"
        "李四,13700137000,vip;旧,,,,\n赵六,021-88886666,,,,,\n"
    )

    async def main() -> None:
        rig = Rig(tmp_path)
        done = await rig.bring_in(table.encode(), target="customers", campaign="")
        assert (done.state, done.n_added) == ("finished", 3)
        wang, li, zhao = (await rig.storage.customers.find(CustomerFilter())).items
        assert (wang.level, wang.tags, wang.owner, wang.data, wang.has_consent) == (
            "gold",
            ["vip"],
            "8001",
            {"公司": "Acme"},
            True,
        )
        assert (wang.numbers[0].area, zhao.numbers[0].area, wang.source) == ("北京市", "上海市", "may")
        again = await rig.bring_in(table.encode(), target="customers", campaign="")
        assert (again.n_added, again.n_refused) == (0, 3)
        begun = await rig.do(AddCustomers(campaign="spring", tag="vip", list_name="vips", keeps_owner=True))
        done = await rig.ended(begun.import_id)
        assert (done.state, done.n_rows, done.n_added) == ("finished", 2, 2)
        records = (await records_of(rig)).items
        assert [(record.customer_id, record.name, record.owner) for record in records] == [
            (wang.customer_id, "王芳", "8001"),
            (li.customer_id, "李四", ""),
        ]
        assert (records[0].data, records[0].has_consent, records[0].numbers[0].zone) == (
            {"公司": "Acme"},
            True,
            "Asia/Shanghai",
        )
        begun = await rig.do(AddCustomers(campaign="spring", customer_ids=(zhao.customer_id, li.customer_id, "c9")))
        done = await rig.ended(begun.import_id)
        assert (done.n_rows, done.n_added, done.n_refused) == (2, 1, 1)
        begun = await rig.do(AddCustomers(campaign="fall", area="上海"))
        assert (await rig.ended(begun.import_id)).n_added == 1
        assert (await records_of(rig, "fall")).items[0].customer_id == zhao.customer_id
        with pytest.raises(errors.NoSuchCampaign):
            await rig.do(AddCustomers(campaign="winter"))
        await rig.stop()

    asyncio.run(main())


def test_xout_04_numbers_not_to_be_called_come_in(tmp_path: Path) -> None:
    table = "number,reason,until\n13800138000,asked,\n+86571*,area,\n13900139000,,2027-06-01\nx,,\n"

    async def main() -> None:
        rig = Rig(tmp_path)
        done = await rig.bring_in(table.encode(), target="dnc", campaign="", reason="by law")
        assert (done.n_added, done.n_refused) == (3, 1)
        entries = {entry.number: entry for entry in (await rig.storage.barred.find(DncFilter())).items}
        assert entries["+8613800138000"].reason == "asked"
        assert (entries["+86571"].is_prefix, entries["+86571"].source) == (True, "may")
        assert (entries["+8613900139000"].reason, entries["+8613900139000"].expires_utc) == ("by law", 1_811_779_200.0)
        book = rig.lists.dnc
        assert book.is_barred("+8657112345678", "spring", rig.now)
        assert book.is_barred("+8613900139000", "spring", rig.now)
        assert not book.is_barred("+8613900139000", "spring", 1_811_779_200.0)
        assert rig.told == [NumberBarred(number="+8613800138000")]
        await rig.bring_in(b"tel\n13600136000\n", target="dnc", campaign="fall")
        assert book.is_barred("+8613600136000", "fall")
        assert not book.is_barred("+8613600136000", "spring")
        await rig.stop()

    asyncio.run(main())


def test_what_is_refused_at_once(tmp_path: Path) -> None:
    async def main() -> None:
        rig = Rig(tmp_path)
        upload_id = await rig.upload(CSV.encode())
        for changes, error, says in (
            ({"campaign": "winter"}, errors.NoSuchCampaign, "no campaign winter"),
            ({"target": "customers"}, errors.InvalidValue, "belong to no campaign"),
            ({"owner": "9999"}, errors.InvalidValue, "there is no agent 9999"),
            ({"mapping": {"A": "phone"}}, errors.InvalidValue, '"phone" is none of number, name'),
            ({"time_zone": "Moon/Base"}, errors.InvalidValue, "is no time zone"),
            ({"upload_id": "u9"}, errors.NoSuchUpload, "no upload u9"),
        ):
            settings = {"upload_id": upload_id, "target": "campaign", "campaign": "spring", **changes}
            with pytest.raises(error, match=says):
                await rig.do(StartImport(**settings))
        await rig.do(StartImport(upload_id=upload_id, target="campaign", campaign="spring"))
        with pytest.raises(errors.NoSuchUpload):
            await rig.do(StartImport(upload_id=upload_id, target="campaign", campaign="spring"))
        with pytest.raises(errors.NoSuchImport):
            await rig.do(GetImport(import_id="i9"))
        with pytest.raises(errors.InvalidValue, match="64 MiB in all"):
            begun = await rig.do(UploadList(data="YQ=="))
            rig._handlers[UploadList].__self__._uploads.find("ann", begun.upload_id).size = MAX_LIST
            await rig.do(UploadList(data="YQ==", upload_id=begun.upload_id, offset=MAX_LIST))
        await rig.stop()

    asyncio.run(main())


def test_imports_are_given_up_fail_with_the_database_and_are_remembered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def main() -> None:
        rig = Rig(tmp_path)
        many = b"tel\n" + b"".join(b"%d\n" % (13_800_000_000 + k) for k in range(3000))
        settings = {"target": "campaign", "campaign": "spring"}
        first = await rig.do(StartImport(upload_id=await rig.upload(many), list_name="a", **settings))
        second = await rig.do(StartImport(upload_id=await rig.upload(many), list_name="b", **settings))
        assert (await rig.do(CancelImport(import_id=second.import_id))).state == "cancelled"
        await until(lambda: rig.imports.get(first.import_id).n_rows > 0)
        await rig.do(CancelImport(import_id=first.import_id))
        done = await rig.ended(first.import_id)
        assert done.state == "cancelled"
        assert 0 < done.n_added < 3000
        with pytest.raises(errors.WrongState):
            await rig.do(CancelImport(import_id=first.import_id))
        assert (await rig.ended(second.import_id)).n_added == 0

        async def unavailable(records) -> None:
            raise UnavailableError("disk full")

        with monkeypatch.context() as broken:
            broken.setattr(rig.storage.records, "add", unavailable)
            failed = await rig.bring_in(b"tel\n13900139000\n")
        assert (failed.state, failed.problem) == ("failed", "the database failed: disk full")
        # The campaign goes while its list comes in.
        begun = await rig.do(StartImport(upload_id=await rig.upload(many), **settings))
        del rig.directory.campaigns["spring"]
        assert "was removed" in (await rig.ended(begun.import_id)).problem
        # One is under way when the switch ends: it is told so afterwards, and what else was known is.
        begun = await rig.do(StartImport(upload_id=await rig.upload(many), target="customers"))
        await until(lambda: rig.imports.get(begun.import_id).n_rows > 0)
        known = [each.import_id for each in (await rig.do(ListImports())).imports]
        await rig.stop()
        later = Rig(tmp_path)
        await later.imports.load()
        found = (await later.do(ListImports())).imports
        assert [each.import_id for each in found] == known
        states = {each.import_id: each.state for each in found}
        assert (states[begun.import_id], states[first.import_id]) == ("interrupted", "cancelled")
        assert ".upload" not in later.files
        await later.stop()

    asyncio.run(main())


def test_only_so_many_wait_and_are_remembered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("switch.imports.MAX_WAITING", 1)
    monkeypatch.setattr("switch.imports.MAX_REMEMBERED", 1)
    monkeypatch.setattr("switch.imports.MAX_REJECTIONS", 2)

    async def main() -> None:
        rig = Rig(tmp_path)
        begun = await rig.do(
            StartImport(upload_id=await rig.upload(b"tel\n" + b"1\n" * 5), target="campaign", campaign="spring")
        )
        with pytest.raises(errors.Congested):
            await rig.do(AddCustomers(campaign="spring"))
        done = await rig.ended(begun.import_id)
        assert (done.n_rejections, len(await rig.reasons(begun.import_id))) == (5, 2)
        rig.now += 1
        await rig.bring_in(CSV.encode())
        assert len((await rig.do(ListImports())).imports) == 1
        with pytest.raises(errors.NoSuchImport):
            await rig.reasons(begun.import_id)
        assert rig.files == [".json"]
        await rig.stop()

    asyncio.run(main())


def test_what_expires_goes_off_the_lists(tmp_path: Path) -> None:
    async def main() -> None:
        rig = Rig(tmp_path)
        await rig.bring_in(b"tel,until\n13900139000,2027-06-01\n13800138000,\n", target="dnc", campaign="")
        lists = rig.lists
        rig.now = 1_811_779_200.0
        sweeping = asyncio.create_task(lists.sweep(every_s=0.01))
        await until(lambda: len(lists.dnc) == 1)
        sweeping.cancel()
        assert [entry.number for entry in (await rig.storage.barred.find(DncFilter())).items] == ["+8613800138000"]
        await rig.stop()

    asyncio.run(main())
