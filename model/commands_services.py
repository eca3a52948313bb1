"""Commands of what the user of an extension chooses. `switch/services_desk.py` handles them."""

from msgspec import UNSET, UnsetType

from model import views
from model.commands import ExtensionNumber, OptionalText
from model.declare import Command, command
from model.errors import InvalidValue, NoSuchExtension, StorageUnavailable


class ExtensionServicesView(views.View, frozen=True, kw_only=True):
    """What is in force for an extension: what its user chose, else what is configured."""

    extension: str
    always_to: str = ""
    """All calls go there; empty = none do."""
    busy_to: str = ""
    """Called instead when it is busy or not registered."""
    no_answer_to: str = ""
    """Called instead when it does not answer in time."""
    is_dnd: bool = False
    """Do not disturb: callers get busy, or `busy_to`."""
    has_call_waiting: bool = True
    """False: a second call finds it busy."""
    pickup_group: str = ""
    """Phones of the same group may take calls that ring here; empty = the common group."""


@command(
    "extension.services",
    permission="extension.view",
    of="extension",
    own="agent.work",
    result=ExtensionServicesView,
    errors=(NoSuchExtension,),
)
class GetServices(Command, frozen=True, kw_only=True):
    """Forwarding, do not disturb and call waiting of an extension."""

    extension: ExtensionNumber


@command(
    "extension.set_services",
    permission="extension.control",
    of="extension",
    own="agent.work",
    result=ExtensionServicesView,
    errors=(NoSuchExtension, InvalidValue, StorageUnavailable),
)
class SetServices(Command, frozen=True, kw_only=True):
    """Changes the fields that are given, for extensions of the configuration file too; null = as configured again.

    A number is refused that the extension itself could not call: whoever forwards pays with his own rights.
    """

    extension: ExtensionNumber
    always_to: OptionalText | UnsetType | None = UNSET
    """Number all calls go to; "" = none."""
    busy_to: OptionalText | UnsetType | None = UNSET
    """Number called when it is busy or not registered; "" = none."""
    no_answer_to: OptionalText | UnsetType | None = UNSET
    """Number called when it does not answer in time; "" = none."""
    is_dnd: bool | UnsetType = UNSET
    has_call_waiting: bool | UnsetType | None = UNSET
    pickup_group: OptionalText | UnsetType | None = UNSET
