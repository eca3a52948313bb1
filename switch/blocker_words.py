"""What keeps a campaign from calling, in plain words, English and Chinese. Pure: what it says is made of figures."""

from collections.abc import Iterator
from datetime import UTC, datetime

from model.campaign_views import Blocker, CampaignLive
from model.campaigns import Campaign
from model.commands_campaign_view import BlockerView
from storage.campaign_records import RecordCounts
from storage.evidence import DeferredRecords

_DEFERRED = {
    "hours": ("wait for their contact hours", "在等可呼叫时段"),
    "retry": ("wait until they may be called again", "在等重拨间隔"),
    "callback": ("are promised a call later", "已约定稍后回拨"),
    "day_limit": ("have had their calls of today", "当日呼叫次数已用完"),
    "redial_ban": ("found no agent when they answered and are left alone", "曾接听而无坐席，禁拨期内"),
    "in_flight": ("have a number that is being called by somebody else", "号码正被其他任务呼叫"),
    "owner": ("are promised a call by an agent himself", "由坐席本人约定回拨"),
}
_STATES = {"not_started": "尚未启动", "stopped": "已停止", "completed": "已全部完成：没有可再呼叫的名单"}
_CLOSED = {"done": ("are done", "已完成"), "failed": ("cannot be called any more", "已无法再呼叫")}


def shown(blocker: Blocker, campaign: Campaign, live: CampaignLive, legal_cap: float) -> BlockerView:
    """As the dialler said, with Chinese."""
    return BlockerView(
        reason=blocker.reason,
        count=blocker.count,
        until_utc=blocker.until_utc,
        text=blocker.text,
        text_zh=_in_chinese(blocker, campaign, live, legal_cap),
    )


def waiting(rows: list[DeferredRecords]) -> Iterator[BlockerView]:
    """Records that are not due yet, by reason."""
    for row in rows:
        text, text_zh = _DEFERRED.get(row.reason, ("wait", "在等待"))
        yield BlockerView(
            reason="deferred",
            of=row.reason,
            count=row.n,
            until_utc=row.next_utc,
            text=f"{row.n} {text}, the first until {_instant(row.next_utc)}",
            text_zh=f"{row.n} 条{text_zh}，最早 {_instant(row.next_utc)}",
        )


def over(counts: RecordCounts) -> Iterator[BlockerView]:
    """Records that are not called any more."""
    n_dnc = counts.by_status.get("dnc", 0)
    if n_dnc:
        yield _made("dnc", n_dnc, f"{n_dnc} are not to be called", f"{n_dnc} 条在免呼名单上")
    for status, (text, text_zh) in _CLOSED.items():
        n = counts.by_status.get(status, 0)
        if n:
            yield _made("closed", n, f"{n} {text}", f"{n} 条{text_zh}", of=status)


def no_lists() -> BlockerView:
    return _made("no_records", 0, "it has no records: import a list", "没有名单：请导入")


def preview(n_agents: int) -> BlockerView:
    text = "its mode is preview: agents call by themselves"
    return _made("preview", n_agents, text, "预览模式：由坐席自行拨打")


def trunk_down(name: str, state: str, why: str) -> BlockerView:
    because = f": {why}" if why else ""
    return _made("trunk_down", 1, f"trunk {name} is {state}{because}", f"中继 {name} 不可用（{state}）", of=name)


def trunk_full(name: str, n_calls: int) -> BlockerView:
    text = f"every channel of trunk {name} is in use: {n_calls} calls"
    return _made("trunk_full", n_calls, text, f"中继 {name} 线路已满：{n_calls} 路", of=name)


def no_way(number: str) -> BlockerView:
    return _made("no_way", 1, f"no route leads to {number}", f"没有通往 {number} 的路由")


def database(error: str) -> BlockerView:
    because = f": {error}" if error else ""
    return _made("database", 0, f"the database fails{because}", "数据库故障，不拨打无法登记的呼叫")


def _made(reason: str, count: int, text: str, text_zh: str, of: str = "") -> BlockerView:
    return BlockerView(reason=reason, of=of, count=count, text=text, text_zh=text_zh)


def _in_chinese(blocker: Blocker, campaign: Campaign, live: CampaignLive, legal_cap: float) -> str:
    n = blocker.count
    then = f"，{_instant(blocker.until_utc)}" if blocker.until_utc else ""
    match blocker.reason:
        case "state":
            return _STATES.get(live.state, live.state) + (f"{then} 自动启动" if then else "")
        case "hours":
            return f"不在工作时间内（日历 {campaign.calendar}）" + (f"{then} 自动恢复" if then else "")
        case "no_agents":
            return f"队列 {campaign.queue} 没有已签入并可接外呼的坐席"
        case "agents_busy":
            return f"{n} 名坐席均无空闲（通话、话后处理或留给呼入）"
        case "inbound_first":
            return f"{n} 个呼入在等同一批坐席，优先接听"
        case "no_records":
            return f"没有到期可拨的名单，仍可再呼叫的有 {n} 条"
        case "deferred":
            return f"{n} 条暂缓呼叫"
        case "lines_full":
            return f"任务线路已满：{live.n_lines} / {campaign.max_lines}"
        case "cps":
            return f"呼叫速率已达上限：每秒 {campaign.max_calls_per_s:g} 次"
        case "abandon_limit":
            return f"30 天内有 {n} 人接听后无坐席，已达上限 {legal_cap:.2%}：只按空闲坐席一对一外呼"
        case "gate_closed":
            return f"呼损余量已用尽，{n} 路在呼出，暂不多拨"
        case "warming_up":
            return f"样本不足（{n} 次呼叫）：先按空闲坐席一对一外呼"
        case "trunk_trouble":
            return "最近的呼叫大多立即失败：暂停后少量试拨"
        case "database":
            return "数据库无响应，不拨打无法登记的呼叫"
        case "awaiting":
            return f"{n} 通谈话待坐席填写结果，之后任务完成"
        case "enough":
            return f"{n} 路在呼出，已够现有坐席"
        case _:
            return blocker.text


def _instant(at_utc: float) -> str:
    return datetime.fromtimestamp(at_utc, UTC).strftime("%Y-%m-%d %H:%M UTC")
