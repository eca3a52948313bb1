"""Charts of simulated campaigns: bars for the terminal, and an SVG file that any browser shows."""

from collections.abc import Sequence
from html import escape

from dialer.comparison import Compared
from dialer.simulation import DayResult

_BLOCKS = " ▏▎▍▌▋▊▉█"
_COLOURS = ("#1677ff", "#8c8c8c", "#fa8c16", "#722ed1", "#13c2c2", "#eb2f96")
_WIDTH, _HEIGHT = 920, 420
_LEFT, _TOP, _PLOT_W, _PLOT_H = 56, 48, 560, 300


def bar(share: float, width: int) -> str:
    """As long as the share of `width` characters, to an eighth of one."""
    eighths = round(min(max(share, 0.0), 1.0) * width * 8)
    full, rest = divmod(eighths, 8)
    return ("█" * full + (_BLOCKS[rest] if rest else "")).ljust(width)


def hourly_occupancy(compared: Compared) -> list[float]:
    """Mean over the days, of the hours in which any of them lasted."""
    n_hours = max(len(_hours(day)) for day in compared.days)
    means = []
    for hour in range(n_hours):
        there_s = busy_s = 0.0
        for day in compared.days:
            span_s = min(3600.0, day.lasted_s - hour * 3600.0)
            if span_s > 0:
                there_s += span_s * day.n_agents
                busy_s += day.hours[hour].busy_s
        means.append(busy_s / there_s if there_s else 0.0)
    return means


def hourly_abandon_rate(compared: Compared) -> list[float]:
    """Of all who had answered by the end of each hour: what the limit is about."""
    rates = []
    answered = abandoned = 0
    for hour in range(len(hourly_occupancy(compared))):
        for day in compared.days:
            if hour < len(day.hours):
                answered += day.hours[hour].answered
                abandoned += day.hours[hour].abandoned
        rates.append(abandoned / answered if answered else 0.0)
    return rates


def svg(rows: Sequence[Compared], title: str, limit: float) -> str:
    """How busy agents are by the hour, a line for each way of dialling, with what was abandoned in the legend."""
    n_hours = max(len(hourly_occupancy(row)) for row in rows)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}"',
        ' font-family="sans-serif" font-size="12">',
        f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="#fff"/>',
        f'<text x="{_LEFT}" y="26" font-size="16">{escape(title)}</text>',
    ]
    for percent in range(0, 101, 20):
        y = _y(percent / 100.0)
        parts.append(f'<line x1="{_LEFT}" x2="{_LEFT + _PLOT_W}" y1="{y:.1f}" y2="{y:.1f}" stroke="#e8e8e8"/>')
        parts.append(f'<text x="{_LEFT - 8}" y="{y + 4:.1f}" text-anchor="end" fill="#595959">{percent} %</text>')
    step = max(1, n_hours // 12)
    for hour in range(0, n_hours, step):
        x = _x(hour, n_hours)
        parts.append(
            f'<text x="{x:.1f}" y="{_TOP + _PLOT_H + 18}" text-anchor="middle" fill="#595959">{hour + 1}</text>'
        )
    below = _TOP + _PLOT_H + 38
    parts.append(
        f'<text x="{_LEFT + _PLOT_W / 2}" y="{below}" text-anchor="middle" fill="#595959">hour of dialling</text>'
    )
    for number, row in enumerate(rows):
        parts += _line(row, number, n_hours, limit)
    parts.append("</svg>")
    return "\n".join(parts) + "\n"


def _line(row: Compared, number: int, n_hours: int, limit: float) -> list[str]:
    colour = _COLOURS[number % len(_COLOURS)]
    values = hourly_occupancy(row)
    points = " ".join(f"{_x(hour, n_hours):.1f},{_y(value):.1f}" for hour, value in enumerate(values))
    dots = [
        f'<circle cx="{_x(hour, n_hours):.1f}" cy="{_y(value):.1f}" r="3" fill="{colour}"/>'
        for hour, value in enumerate(values)
    ]
    x, y = _LEFT + _PLOT_W + 24, _TOP + 14 + number * 44
    over = " – over the limit" if row.abandon_rate > limit else ""
    return [
        f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2"/>',
        *dots,
        f'<rect x="{x}" y="{y - 10}" width="12" height="12" fill="{colour}"/>',
        f'<text x="{x + 20}" y="{y}">{escape(row.name)}: {row.occupancy:.1%} busy</text>',
        f'<text x="{x + 20}" y="{y + 16}" fill="#595959">{row.abandon_rate:.2%} abandoned{over}</text>',
    ]


def _hours(day: DayResult) -> list[int]:
    return list(range(-int(-day.lasted_s // 3600)))


def _x(hour: int, n_hours: int) -> float:
    return _LEFT + (hour + 0.5) * _PLOT_W / n_hours


def _y(share: float) -> float:
    return _TOP + _PLOT_H * (1.0 - share)
