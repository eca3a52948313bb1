"""Lists of a switch without calls: the desks over a storage, with a real process that reads files."""

import asyncio
import zipfile
from base64 import b64encode
from collections.abc import Callable, Coroutine, Iterable
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from xml.sax.saxutils import escape

from control.auth import Caller
from dialer.dnc import DncBook
from model.commands_imports import ImportFinished, ListImport, StartImport, UploadList
from model.commands_prompts import MAX_PIECE
from model.declare import Command
from model.ids import IdSource
from storage.interface import AnyStorage
from storage.memory import MemoryStorage
from switch import customers_desk, dnc_desk, imports_desk, records_desk
from switch.config_file import parse_config
from switch.directory import Directory
from switch.imports import Imports
from switch.list_columns import letter
from switch.lists import Lists
from tests.harness.sim_switch import EXTENSIONS

ANN = Caller("ann", "administrator")
BLIND = Caller("bea", "back office")
"""May not see whole numbers."""
CONFIG = f"""
{EXTENSIONS}
[numbering]
time_zone = "Asia/Shanghai"
emergency = ["110", "96110"]
[[agent]]
agent_id = "8001"
extension = "1001"
[[campaign]]
name = "spring"
[[campaign]]
name = "fall"
"""


class Rig:
    def __init__(self, folder: Path, storage: AnyStorage | None = None) -> None:
        self.folder = folder
        self.storage = storage or MemoryStorage()
        self.config = parse_config(CONFIG)
        self.directory = Directory(self.config)
        self.now = 1_800_000_000.0
        self.told: list[Any] = []
        self.events: list[Any] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self.lists = Lists(
            self.storage, self.directory, IdSource(), lambda: self.now, dnc=DncBook(), tell=self.told.append
        )
        self.imports = Imports(self.lists, folder, self.events.append, self._own)
        gate = SimpleNamespace(may=lambda caller, permission: permission != "phone.view_full" or caller is not BLIND)
        app: Any = SimpleNamespace(lists=self.lists, imports=self.imports, gate=gate)
        desks = (records_desk, imports_desk, dnc_desk, customers_desk)
        self._handlers = {kind: handler for desk in desks for kind, handler in desk.make_handlers(app).items()}

    def _own(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def do(self, command: Command, caller: Caller = ANN) -> Any:
        result = self._handlers[type(command)](command, caller)
        return await result if asyncio.iscoroutine(result) else result

    async def upload(self, content: bytes) -> str:
        upload_id = ""
        for offset in range(0, len(content) or 1, MAX_PIECE):
            piece = content[offset : offset + MAX_PIECE]
            done = await self.do(
                UploadList(
                    data=b64encode(piece).decode(),
                    upload_id=upload_id,
                    offset=offset,
                    is_last=offset + MAX_PIECE >= len(content),
                )
            )
            upload_id = done.upload_id
        return upload_id

    async def bring_in(self, content: bytes, **settings: Any) -> ListImport:
        """Uploads and imports it, to the end."""
        self.now += 1
        settings = {"target": "campaign", "campaign": "spring", "list_name": "may", **settings}
        begun = await self.do(StartImport(upload_id=await self.upload(content), **settings))
        return await self.ended(begun.import_id)

    async def ended(self, import_id: str) -> ListImport:
        await until(lambda: any(type(each) is ImportFinished and each.import_id == import_id for each in self.events))
        return self.imports.get(import_id).view()

    async def reasons(self, import_id: str) -> list[tuple[int, str, str]]:
        found, _ = await self.imports.rejections(import_id, "", 1000)
        return [(each.row, each.column, each.reason) for each in found]

    async def stop(self) -> None:
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.storage.close()

    @property
    def files(self) -> list[str]:
        return sorted(path.suffix for path in self.folder.glob("*")) if self.folder.is_dir() else []


async def until(is_so: Callable[[], bool]) -> None:
    async with asyncio.timeout(120.0):
        while not is_so():  # noqa: ASYNC110
            await asyncio.sleep(0.005)


class Raw(str):
    """A cell as XML."""


def write_xlsx(path: Path, rows: Iterable[Iterable[Any]], *, sheet: str = "名单", dimension: str = "A1:B2") -> None:
    """Written by hand, since openpyxl takes ten times as long; the size that it states is wrong."""
    parts = {
        "[Content_Types].xml": '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">'
        '<Default Extension="xml" ContentType="application/xml"/>'
        '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        '<Override PartName="/xl/workbook.xml" ContentType="application/vnd.openxmlformats-officedocument.'
        'spreadsheetml.sheet.main+xml"/><Override PartName="/xl/worksheets/sheet1.xml" ContentType="application/'
        'vnd.openxmlformats-officedocument.spreadsheetml.worksheet+xml"/></Types>',
        "_rels/.rels": '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">'
        '<Relationship Id="r1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/'
        'officeDocument" Target="xl/workbook.xml"/></Relationships>',
        "xl/workbook.xml": '<workbook xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main" xmlns:r='
        '"http://schemas.openxmlformats.org/officeDocument/2006/relationships"><sheets>'
        f'<sheet name="{sheet}" sheetId="1" r:id="r1"/></sheets></workbook>',
        "xl/_rels/workbook.xml.rels": '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/'
        'relationships"><Relationship Id="r1" Type="http://schemas.openxmlformats.org/officeDocument/2006/'
        'relationships/worksheet" Target="worksheets/sheet1.xml"/></Relationships>',
    }
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name, text in parts.items():
            archive.writestr(name, f'<?xml version="1.0" encoding="UTF-8"?>{text}')
        with archive.open("xl/worksheets/sheet1.xml", "w") as file:
            file.write(
                b'<?xml version="1.0" encoding="UTF-8"?><worksheet xmlns="http://schemas.openxmlformats.org/'
                b'spreadsheetml/2006/main"><dimension ref="%s"/><sheetData>' % dimension.encode()
            )
            for n, row in enumerate(rows, 1):
                cells = "".join(_cell(f"{letter(k)}{n}", value) for k, value in enumerate(row) if value is not None)
                file.write(f'<row r="{n}">{cells}</row>'.encode())
            file.write(b"</sheetData></worksheet>")


def _cell(place: str, value: Any) -> str:
    if isinstance(value, Raw):
        return value.replace("PLACE", place)
    if isinstance(value, str):
        return f'<c r="{place}" t="inlineStr"><is><t>{escape(value)}</t></is></c>'
    return f'<c r="{place}"><v>{value}</v></c>'
