"""Who gets how many of the records that are nobody's, and which (OUT-03, OUT-09). Pure."""

from collections.abc import Mapping, Sequence


def share_evenly(n: int, have: Mapping[str, int]) -> dict[str, int]:
    """`n` records among agents who have so many already: each gets the same; what is left over goes to those who have
    the fewest, one each."""
    if not have:
        return {}
    each, over = divmod(n, len(have))
    fewest = sorted(have, key=lambda agent_id: have[agent_id])[:over]
    return {agent_id: each + (agent_id in fewest) for agent_id in have}


def share_as_told(n: int, wanted: Mapping[str, int]) -> dict[str, int]:
    """As many for each agent as was said. Where there are not enough, they are given out one by one in turn, until each
    has what was said or there are none left."""
    shares = dict.fromkeys(wanted, 0)
    open_ = [agent_id for agent_id in wanted if wanted[agent_id] > 0]
    while n > 0 and open_:
        least = min(wanted[agent_id] - shares[agent_id] for agent_id in open_)
        each = min(max(1, n // len(open_)), least)
        for agent_id in open_:
            given = min(each, n)
            shares[agent_id] += given
            n -= given
        open_ = [agent_id for agent_id in open_ if shares[agent_id] < wanted[agent_id]]
    return shares


def deal(record_ids: Sequence[str], shares: Mapping[str, int]) -> dict[str, list[str]]:
    """Which records each gets: dealt in turn, so that the first of the list are not all one agent's. Those that nobody
    has a share of stay."""
    hands: dict[str, list[str]] = {agent_id: [] for agent_id in shares}
    left = {agent_id: n for agent_id, n in shares.items() if n > 0}
    at = 0
    while left and at < len(record_ids):
        for agent_id in tuple(left):
            if at == len(record_ids):
                break
            hands[agent_id].append(record_ids[at])
            at += 1
            left[agent_id] -= 1
            if not left[agent_id]:
                del left[agent_id]
    return hands
