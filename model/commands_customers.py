"""Commands on customers. `switch/customers_desk.py` handles them."""

from typing import Annotated

from msgspec import UNSET, Meta, UnsetType, field

from model import views
from model.commands import Cursor, Id, Limit, OptionalId, OptionalText
from model.commands_lists import CellText, Data, Ids, Numbers, RecordsTouched
from model.customers import Customer
from model.declare import Command, command
from model.errors import InvalidValue, NoSuchCustomer, StorageUnavailable

Tag = Annotated[str, Meta(min_length=1, max_length=64, pattern=r"^[^,\x00-\x1f\x7f]+$")]
Tags = Annotated[tuple[Tag, ...], Meta(max_length=20)]


class CustomerPage(views.View, frozen=True, kw_only=True):
    """Customers, in the order in which they came in."""

    customers: list[Customer]
    cursor: str
    """For the next page; empty = this was the last."""


@command("customer.create", permission="campaign.manage", result=Customer, errors=(InvalidValue, StorageUnavailable))
class CreateCustomer(Command, frozen=True, kw_only=True):
    """Adds a customer."""

    name: CellText = ""
    numbers: Numbers = ()
    may_be_internal: bool = False
    """Also numbers that are no telephone numbers (extensions), as they are."""
    time_zone: OptionalText = ""
    area: OptionalText = ""
    owner: OptionalId = ""
    """Agent whose customer he is."""
    has_consent: bool = False
    level: OptionalText = ""
    tags: Tags = ()
    data: Data = field(default_factory=dict)


@command(
    "customer.update",
    permission="campaign.manage",
    result=Customer,
    errors=(NoSuchCustomer, InvalidValue, StorageUnavailable),
)
class UpdateCustomer(Command, frozen=True, kw_only=True):
    """Changes what is given of a customer. Records of campaigns stay as they are."""

    customer_id: Id
    name: CellText | UnsetType = UNSET
    numbers: Numbers | UnsetType = UNSET
    may_be_internal: bool = False
    time_zone: OptionalText | UnsetType = UNSET
    area: OptionalText | UnsetType = UNSET
    owner: OptionalId | UnsetType = UNSET
    has_consent: bool | UnsetType = UNSET
    level: OptionalText | UnsetType = UNSET
    tags: Tags | UnsetType = UNSET
    data: Data | UnsetType = UNSET
    """In place of what there is."""


@command("customer.get", permission="campaign.view", result=Customer, errors=(NoSuchCustomer, StorageUnavailable))
class GetCustomer(Command, frozen=True, kw_only=True):
    """One customer."""

    customer_id: Id


@command("customer.find", permission="campaign.view", result=CustomerPage, errors=(InvalidValue, StorageUnavailable))
class FindCustomers(Command, frozen=True, kw_only=True):
    """Customers that meet all that is given."""

    number: OptionalText = ""
    is_suffix: bool = False
    """`number` is the end of one."""
    text: OptionalText = ""
    """In the name, or in what else is known."""
    tag: OptionalText = ""
    owner: OptionalId | None = None
    """Agent whose they are; empty: nobody's; null: all."""
    area: OptionalText = ""
    """The beginning of his, or of one of his numbers'."""
    level: OptionalText = ""
    source: OptionalText = ""
    """The list they came with."""
    limit: Limit = 100
    cursor: Cursor = ""


@command("customer.delete", permission="campaign.manage", result=RecordsTouched, errors=(StorageUnavailable,))
class DeleteCustomers(Command, frozen=True, kw_only=True):
    """Deletes customers; records of campaigns that were made of them stay."""

    customer_ids: Annotated[Ids, Meta(min_length=1)]


@command("customer.tag", permission="campaign.manage", result=RecordsTouched, errors=(InvalidValue, StorageUnavailable))
class TagCustomers(Command, frozen=True, kw_only=True):
    """Gives customers tags, or takes them away."""

    customer_ids: Annotated[Ids, Meta(min_length=1)]
    add: Tags = ()
    remove: Tags = ()
