"""What those are shown who may not see whole telephone numbers (`phone.view_full`, XRBAC-05)."""

from msgspec.structs import replace

from control.auth import Caller
from control.gate import Gate
from model.commands_lists import Rejection
from model.customers import Customer
from model.dialing import Attempt, CampaignRecord
from switch.masking import mask_number


class HiddenNumbers:
    """Each function gives a thing as a caller may see it."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate

    def are_shown_to(self, caller: Caller) -> bool:
        return self._gate.may(caller, "phone.view_full")

    def records(self, records: list[CampaignRecord], caller: Caller) -> list[CampaignRecord]:
        if self.are_shown_to(caller):
            return records
        return [
            replace(
                record,
                numbers=[replace(each, number=mask_number(each.number)) for each in record.numbers],
                last_number=mask_number(record.last_number),
            )
            for record in records
        ]

    def attempts(self, attempts: list[Attempt], caller: Caller) -> list[Attempt]:
        if self.are_shown_to(caller):
            return attempts
        return [replace(attempt, number=mask_number(attempt.number)) for attempt in attempts]

    def customers(self, customers: list[Customer], caller: Caller) -> list[Customer]:
        if self.are_shown_to(caller):
            return customers
        return [
            replace(customer, numbers=[replace(each, number=mask_number(each.number)) for each in customer.numbers])
            for customer in customers
        ]

    def rejections(self, rejections: list[Rejection], caller: Caller) -> list[Rejection]:
        if self.are_shown_to(caller):
            return rejections
        return [replace(each, value=mask_number(each.value)) for each in rejections]
