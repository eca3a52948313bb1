"""How hypothesis draws its examples, and how the suite is spread over xdist workers.

The suite draws the same examples every time, so that a commit is green or is not. `make explore` draws others each
time: what it finds becomes an `@example` or a test of its own.

`--dist loadgroup`: everything that works in real time is one lane, but for the matrix and the campaigns, which are
another.

Two loads at a time on two cores would judge the machine and not the switch; those are none, they have a few calls at a
time in networks of their own. The mark `xdist_group` says the same, but
xdist 3.8 cannot pass it on with pytest 9.2 (it writes to an attribute that node ids are no longer made of).
"""

import os

import pytest
from hypothesis import settings
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

settings.register_profile("suite", derandomize=True, deadline=None)
settings.register_profile("explore", max_examples=500, deadline=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "suite"))

_REAL_TIME = ("tests/live/", "tests/demo/")
_LIGHT = ("tests/live/test_matrix.py", "tests/live/test_campaign.py")


class _Lanes(LoadScopeScheduling):
    """The largest lanes begin first: the scheduler's own rule."""

    def _split_scope(self, nodeid: str) -> str:
        if nodeid.startswith(_LIGHT):
            return "light"
        return "real time" if nodeid.startswith(_REAL_TIME) else nodeid


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> LoadScopeScheduling | None:
    return _Lanes(config, log) if config.getoption("dist") == "loadgroup" else None
