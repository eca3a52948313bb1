"""`ringback list`, `record`, `dnc` and `customer`: what they send, and what they write into files."""

import csv

import pytest

from model import commands_customers as customers
from model import commands_dnc as dnc
from model import commands_imports as imports
from model import commands_lists as lists
from tests.switch.test_cli_control import ringback, server

__all__ = ["ringback", "server"]


def seen(server):
    return [command for command, _ in server.rig.handlers.seen]


@pytest.mark.parametrize(
    ("line", "sent"),
    [
        ("list list spring", lists.ListLists(campaign="spring")),
        ("list remove spring may", lists.RemoveList(campaign="spring", list_name="may")),
        ("list imports", imports.ListImports()),
        ("list rejected i1 --limit 5", imports.FindRejected(import_id="i1", limit=5)),
        ("list cancel i1", imports.CancelImport(import_id="i1")),
        (
            "record add spring 13800138000 021-88886666 --name 王 --data k=v --priority 3 --consent --owner 8001",
            lists.AddRecords(
                campaign="spring",
                records=(
                    lists.NewRecord(
                        numbers=("13800138000", "021-88886666"),
                        name="王",
                        data={"k": "v"},
                        priority=3,
                        has_consent=True,
                        owner="8001",
                    ),
                ),
            ),
        ),
        (
            "record find --campaign spring --status done --status failed --list may --text 王",
            lists.FindRecords(campaign="spring", statuses=("done", "failed"), list_name="may", text="王"),
        ),
        ("record get r1", lists.GetRecord(record_id="r1")),
        ("record reset r1 r2", lists.ResetRecords(record_ids=("r1", "r2"))),
        ("record remove r1", lists.RemoveRecords(record_ids=("r1",))),
        (
            "record add-customers spring --tag vip --owner 8001 --keep-owner",
            imports.AddCustomers(campaign="spring", tag="vip", owner="8001", keeps_owner=True),
        ),
        ("dnc add 13800138000 --reason asked", dnc.AddDnc(numbers=("13800138000",), reason="asked")),
        ("dnc remove +86571 --prefix", dnc.RemoveDnc(number="+86571", is_prefix=True)),
        ("dnc find +86138 --campaign spring", dnc.FindDnc(number="+86138", campaign="spring")),
        (
            "customer create --name 王 --number 13800138000 --tag vip --data a=b",
            customers.CreateCustomer(name="王", numbers=("13800138000",), tags=("vip",), data={"a": "b"}),
        ),
        (
            "customer update c1 --no-consent --level gold",
            customers.UpdateCustomer(customer_id="c1", has_consent=False, level="gold"),
        ),
        ("customer get c1", customers.GetCustomer(customer_id="c1")),
        ("customer find 王 --tag vip", customers.FindCustomers(text="王", tag="vip")),
        ("customer tag c1 c2 --add vip", customers.TagCustomers(customer_ids=("c1", "c2"), add=("vip",))),
        ("customer delete c1", customers.DeleteCustomers(customer_ids=("c1",))),
    ],
)
def test_what_is_sent(ringback, server, line, sent):
    result = ringback(*line.split())
    assert result.exit_code == 0, result.stderr
    assert seen(server) == [sent]
    assert result.stdout.strip()


def test_a_list_is_uploaded_read_and_what_is_wrong_of_it_written(ringback, server, tmp_path):
    path, rejected = tmp_path / "may.csv", tmp_path / "rejected.csv"
    path.write_bytes(b"tel\n" + b"13800138000\n" * 3000)
    line = ["list", "import", str(path), "--campaign", "spring", "--column", "C=name", "--rejected", str(rejected)]
    result = ringback(*line)
    assert result.exit_code == 1, result.stderr
    *uploads, start, page = seen(server)
    assert len(uploads) == 2 and uploads[-1].is_last and not uploads[0].is_last
    assert start == imports.StartImport(
        upload_id="u1", target="campaign", campaign="spring", list_name="may.csv", mapping={"C": "name"}
    )
    assert page == imports.FindRejected(import_id="i1", limit=1000)
    assert "may.csv:3: 手机 '12345': impossible_number" in result.stdout
    assert "97 of 100 rows taken, 3 refused" in result.stdout
    rows = list(csv.reader(rejected.read_text("utf-8-sig").splitlines()))
    assert rows == [["row", "column", "value", "reason", "is_kept"], ["3", "手机", "12345", "impossible_number", "no"]]


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("list import FILE", "say where it goes"),
        ("list import FILE --dnc --customers", "say where it goes"),
        ("list import FILE --dnc --column C", "write TITLE=FIELD"),
        ("list import nowhere.csv --dnc", "No such file"),
        ("record add spring 1 --data k", "write KEY=VALUE"),
        ("customer create --data k", "write KEY=VALUE"),
        ("list import FILE --dnc --rejected /nowhere/x.csv", "No such file"),
    ],
)
def test_wrong_use(ringback, server, tmp_path, line, says):
    path = tmp_path / "x.csv"
    path.write_text("tel\n")
    result = ringback(*(str(path) if word == "FILE" else word for word in line.split()))
    assert result.exit_code == 2
    assert says in result.stderr


def test_records_are_written_into_a_file_that_is_no_formula(ringback, server, tmp_path):
    path = tmp_path / "out.csv"
    result = ringback("record", "export", str(path), "--campaign", "spring", "--status", "done")
    assert result.exit_code == 0, result.stderr
    heads, *rows = csv.reader(path.read_text("utf-8-sig").splitlines())
    assert heads[:3] == ["record_id", "campaign", "list_name"] and heads[-2:] == ["numbers", "policy"]
    assert dict(zip(heads, rows[0], strict=True))["numbers"] == "+8613800138000"
    assert dict(zip(heads, rows[0], strict=True))["last_result"] == "busy"
