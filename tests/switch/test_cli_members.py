"""`ringback members` where it reads what it sends: passwords from standard input, many members from a file."""

import pytest

from model import commands_members as members
from tests.switch.test_cli_control import ringback, server

__all__ = ["ringback", "server"]


def seen(server):
    return [command for command, _ in server.rig.handlers.seen]


@pytest.mark.parametrize(
    ("line", "sent"),
    [
        ("members create 2", members.CreateMember(member="2", password="4711")),
        ("members set-password 2", members.SetMemberPassword(member="2", password="4711")),
    ],
)
def test_a_password_comes_from_standard_input(ringback, server, line, sent):
    result = ringback(*line.split(), input="4711\n")
    assert result.exit_code == 0, result.stderr
    assert seen(server) == [sent]
    assert "4711" not in result.stdout


def test_many_are_imported_and_what_cannot_be_is_named(ringback, server, tmp_path):
    path = tmp_path / "members.csv"
    path.write_text("\ufeffnumber,name,password\n2001,王芳,4711\nx,李,4711\n2002,李,\n", encoding="utf-8")
    result = ringback("members", "import", str(path))
    assert result.exit_code == 1
    assert seen(server) == [
        members.CreateMember(member="2001", name="王芳", password="4711"),
        members.CreateMember(member="2002", name="李"),
    ]
    assert "members.csv:3: " in result.stderr and "2 of 3 added" in result.stdout


@pytest.mark.parametrize("text", ["", "name\n王芳\n"])
def test_a_file_without_numbers_is_refused(ringback, server, tmp_path, text):
    path = tmp_path / "members.csv"
    path.write_text(text)
    result = ringback("members", "import", str(path))
    assert result.exit_code == 2 and "has no column number" in result.stderr
    assert not seen(server)
