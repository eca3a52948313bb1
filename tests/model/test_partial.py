"""model/partial.py: what may be left out is as it was, what is given counts, and it is checked as the whole is."""

import msgspec
import pytest

from model.partial import merged, partial
from model.queues import Queue, QueueLimits, RelaxStep

Given = partial(Queue, without=("name",))
BEFORE = Queue(name="q", title="Q", skills={"en": 3}, limits=QueueLimits(max_wait_s=60.0, timeout_to="queue:r"))


def given(**settings: object) -> Queue:
    return merged(BEFORE, msgspec.convert(settings, Given))


def test_nothing_given_changes_nothing() -> None:
    assert given() == BEFORE


def test_of_sections_only_what_is_given_is_changed_and_all_else_whole() -> None:
    after = given(limits={"max_wait_s": 30}, skills={"zh": 1}, relax=[{"after_s": 5}], title="")
    assert after == msgspec.structs.replace(
        BEFORE,
        title="",
        skills={"zh": 1},
        relax=(RelaxStep(after_s=5.0),),
        limits=QueueLimits(max_wait_s=30.0, timeout_to="queue:r"),
    )


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"name": "other"}, "unknown field `name`"),
        ({"limits": {"max_waits": 1}}, "unknown field `max_waits` - at `$.limits`"),
        ({"limits": {"max_wait_s": -1}}, ">= 0.0 - at `$.limits.max_wait_s`"),
        ({"limits": {"full_to": "nowhere at all"}}, "- at `$.limits.full_to`"),
        ({"strategy": "by mood"}, "invalid enum value"),
        ({"weight": None}, "`$.weight`"),
    ],
)
def test_it_is_checked_as_the_whole_is(settings, says) -> None:
    with pytest.raises(msgspec.ValidationError) as problem:
        given(**settings)
    assert says.lower() in str(problem.value).lower()
