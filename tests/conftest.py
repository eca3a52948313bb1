"""How the suite is spread over xdist workers (`--dist loadgroup`): everything that works in real time is one lane.

Two loads at a time on two cores would judge the machine and not the switch. The mark `xdist_group` says the same, but
xdist 3.8 cannot pass it on with pytest 9.2 (it writes to an attribute that node ids are no longer made of).
"""

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

_REAL_TIME = ("tests/live/", "tests/demo/")


class _Lanes(LoadScopeScheduling):
    """The largest lane begins first: the scheduler's own rule."""

    def _split_scope(self, nodeid: str) -> str:
        return "real time" if nodeid.startswith(_REAL_TIME) else nodeid


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> LoadScopeScheduling | None:
    return _Lanes(config, log) if config.getoption("dist") == "loadgroup" else None
