"""Imports by API: lists are uploaded, read, and what was not taken of them is told."""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

import msgspec

from control.auth import Caller
from model import commands_imports as commands
from model import errors
from model.declare import Command
from storage.customers import CustomerFilter
from switch.hidden_numbers import HiddenNumbers
from switch.import_sources import CustomerSource, FileSource
from switch.imports import Import, Imports
from switch.list_columns import FIELDS
from switch.list_takers import CampaignTaker, CustomerTaker, DncTaker, Origin, Taker
from switch.lists import Lists
from switch.records_desk import zone_named
from switch.uploads import Upload, Uploads, piece_of

if TYPE_CHECKING:
    from switch.app import App


def make_handlers(app: "App") -> dict[type[Command], Callable[[Any, Caller], Awaitable[Any] | Any]]:
    desk = ImportsDesk(app.lists, app.imports, HiddenNumbers(app.gate))
    return {
        commands.UploadList: desk.upload,
        commands.StartImport: desk.start,
        commands.AddCustomers: desk.add_customers,
        commands.ListImports: desk.list_imports,
        commands.GetImport: desk.get,
        commands.FindRejected: desk.rejected,
        commands.CancelImport: desk.cancel,
    }


class ImportsDesk:
    def __init__(self, kept: Lists, imports: Imports, hidden: HiddenNumbers) -> None:
        self._hidden = hidden
        self._lists = kept
        self._imports = imports
        self._uploads: Uploads[Upload] = Uploads(Upload, imports.folder, kept.ids.token, commands.MAX_LIST)

    async def upload(self, command: commands.UploadList, caller: Caller) -> commands.ListUploaded:
        piece = piece_of(command.data)
        upload = await self._uploads.take(
            caller.user, command.upload_id, command.offset, piece, is_last=command.is_last
        )
        return commands.ListUploaded(upload_id=upload.upload_id, size=upload.size)

    def start(self, command: commands.StartImport, caller: Caller) -> commands.ListImport:
        upload = self._uploads.finished(caller.user, command.upload_id)
        if command.target == "customers" and command.campaign:
            raise errors.InvalidValue("customers belong to no campaign", field="campaign")
        if command.target == "campaign" or command.campaign:
            self._lists.campaign(command.campaign)
        self._lists.check_agent(command.owner)
        if wrong := sorted({*command.mapping.values()} - {*FIELDS}):
            raise errors.InvalidValue(f'"{wrong[0]}" is none of {", ".join(FIELDS)}', field="mapping")
        zone = zone_named(command.time_zone)
        options = msgspec.structs.replace(
            self._lists.options(command.target, zone, may_be_internal=command.may_be_internal),
            mapping=command.mapping,
            has_titles=command.has_titles,
            sheet=command.sheet,
            may_be_prefix=command.target == "dnc",
        )
        made = self._made(command.target, command.campaign, command.list_name, caller)
        origin = Origin(
            list_name=made.list_name,
            by=caller.user,
            at_utc=made.created_utc,
            campaign=command.campaign,
            has_consent=command.has_consent,
            priority=command.priority,
            owner=command.owner,
            reason=command.reason,
        )
        self._imports.check_room()
        self._uploads.release(upload)
        self._imports.start(made, FileSource(upload.path, options), self._taker(command.target, origin))
        return made.view()

    def add_customers(self, command: commands.AddCustomers, caller: Caller) -> commands.ListImport:
        self._lists.campaign(command.campaign)
        criteria = CustomerFilter(
            text=command.text, tag=command.tag, owner=command.owner, area=command.area, level=command.level
        )
        source = CustomerSource(self._lists, criteria, command.customer_ids, keeps_owner=command.keeps_owner)
        made = self._made("campaign", command.campaign, command.list_name, caller)
        origin = Origin(
            list_name=made.list_name,
            by=caller.user,
            at_utc=made.created_utc,
            campaign=command.campaign,
            priority=command.priority,
            customer_ids=source.customer_ids,
        )
        self._imports.start(made, source, CampaignTaker(self._lists, origin))
        return made.view()

    def list_imports(self, command: commands.ListImports, caller: Caller) -> commands.ImportList:
        return commands.ImportList(imports=[each.view() for each in self._imports.all()])

    def get(self, command: commands.GetImport, caller: Caller) -> commands.ListImport:
        return self._imports.get(command.import_id).view()

    async def rejected(self, command: commands.FindRejected, caller: Caller) -> commands.RejectionPage:
        try:
            found, cursor = await self._imports.rejections(command.import_id, command.cursor, command.limit)
        except OSError as error:
            raise errors.StorageUnavailable(f"{self._imports.folder}: {error.strerror}") from None
        return commands.RejectionPage(rejections=self._hidden.rejections(found, caller), cursor=cursor)

    def cancel(self, command: commands.CancelImport, caller: Caller) -> commands.ListImport:
        return self._imports.cancel(command.import_id).view()

    def _made(self, target: commands.Target, campaign: str, list_name: str, caller: Caller) -> Import:
        import_id = self._lists.ids.new()
        return Import(
            import_id=import_id,
            target=target,
            campaign=campaign,
            list_name=list_name or import_id,
            started_by=caller.user,
            created_utc=self._lists.wall(),
        )

    def _taker(self, target: commands.Target, origin: Origin) -> Taker:
        match target:
            case "campaign":
                return CampaignTaker(self._lists, origin)
            case "customers":
                return CustomerTaker(self._lists, origin)
            case "dnc":
                return DncTaker(self._lists, origin)
