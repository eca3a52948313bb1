"""Queues, agents, agent groups, flows and campaigns by API: who changes one waits for who changes another, since they
name each other."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from control.auth import Caller
from model.declare import Command
from switch import agents_admin, campaign_views, campaigns_admin, flows_admin, queues_admin

if TYPE_CHECKING:
    from switch.app import App


def make_handlers(app: "App") -> dict[type[Command], Callable[[Any, Caller], Awaitable[Any] | Any]]:
    lock = asyncio.Lock()
    return {
        **queues_admin.make_handlers(app, lock),
        **agents_admin.make_handlers(app, lock),
        **flows_admin.make_handlers(app, lock),
        **campaigns_admin.make_handlers(app, lock),
        **campaign_views.make_handlers(app),
    }
