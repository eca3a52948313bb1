"""Queues of the real routing core against the formulas of Erlang: what it does with Poisson calls must be what theory
says (values of acd/staffing.py, which tests compare with published tables)."""

from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, field
from typing import Any

from acd.laws import Law
from acd.simulation import Plan, Shift, Simulation, Stream
from acd.simulation_results import SimulationResult
from acd.staffing import Load, erlang_b, forecast
from model.agents import Membership
from model.queues import Queue, QueueLimits

HANDLE_S = 180.0
IN_TIME_S = 20.0
REPLICATIONS = 3
CALLS = 120_000
WARM_UP = 0.05
HEAVY, HEAVY_TIMES = 0.9, 3
_WAIT_SHARE, _ABANDON_SHARE, _WAIT, _LITTLE = 0.010, 0.003, 0.06, 0.01
"""Tolerances: absolute, absolute, relative, relative."""
_AT_ONCE_S = 0.001
"""Erlang B: who finds all busy waits so long, which is as good as not at all."""

B_ROWS = ((1, 1), (5, 3), (10, 5), (20, 12), (30, 20), (60, 50), (100, 84), (100, 100), (200, 180))
C_ROWS = (
    *((1, 0.5), (2, 1), (3, 2), (5, 4), (10, 8), (11, 10)),
    *((20, 16), (20, 18), (50, 45), (60, 55), (100, 95), (200, 190)),
)
A_ROWS = (
    *((5, 100, 120), (10, 200, 120), (20, 400, 180), (20, 440, 60)),
    *((50, 1000, 120), (50, 1100, 120), (100, 2000, 300), (100, 2200, 60)),
)


@dataclass(frozen=True, slots=True)
class Row:
    model: str
    n_agents: int
    calls_per_hour: float
    patience_s: float = 0.0


@dataclass(slots=True)
class Measured:
    """One row, all replications together."""

    row: Row
    expected: dict[str, float]
    found: dict[str, float] = field(default_factory=dict)
    fifo_violations: int = 0

    @property
    def off(self) -> list[str]:
        """Figures outside their tolerance."""
        limits = {
            "lost": _ABANDON_SHARE,
            "waits": _WAIT_SHARE,
            "gives_up": _ABANDON_SHARE,
            "in_time": _WAIT_SHARE,
            "mean_wait_s": _WAIT * self.expected.get("mean_wait_s", 0.0),
            "little": _LITTLE,
        }
        return [name for name, value in self.expected.items() if abs(self.found[name] - value) > limits[name]]


def rows() -> list[Row]:
    per_erlang = 3600.0 / HANDLE_S
    return [
        *(Row("B", n, a * per_erlang) for n, a in B_ROWS),
        *(Row("C", n, a * per_erlang) for n, a in C_ROWS),
        *(Row("A", n, rate, patience) for n, rate, patience in A_ROWS),
    ]


def expected(row: Row) -> dict[str, float]:
    load = Load(calls_per_hour=row.calls_per_hour, handle_s=HANDLE_S, patience_s=row.patience_s)
    if row.model == "B":
        return {"lost": erlang_b(row.n_agents, load.erlangs)}
    made = forecast(load, row.n_agents, IN_TIME_S)
    figures = {"waits": made.wait_share, "mean_wait_s": made.mean_wait_s, "little": 1.0}
    if row.model == "C":
        return {**figures, "in_time": made.service_level}
    return {**figures, "gives_up": made.abandon_share}


def simulate(row: Row, calls: int, seed: int) -> SimulationResult:
    span_s = calls / row.calls_per_hour * 3600.0
    limits = QueueLimits(max_wait_s=_AT_ONCE_S) if row.model == "B" else QueueLimits()
    patience = Law(kind="exponential", mean_s=row.patience_s) if row.patience_s else None
    talk = Law(kind="exponential", mean_s=HANDLE_S)
    plan = Plan(
        queues=(Queue(name="q", service_level_s=IN_TIME_S, limits=limits),),
        shifts=tuple(Shift(agent_id=f"a{n}", queues=(Membership(queue="q"),)) for n in range(row.n_agents)),
        streams=(
            Stream(queue="q", start_s=0.0, end_s=span_s, calls=calls, talk=talk, patience=patience, is_exact=True),
        ),
        warm_up_s=WARM_UP * span_s,
    )
    return Simulation(plan, seed).run()


def calls_of(row: Row, calls: int) -> int:
    """Where all wait and agents are busy nine tenths of the time, waits hang together for thousands of calls: such rows
    need longer runs for the same certainty."""
    is_heavy = row.model == "C" and row.calls_per_hour * HANDLE_S / 3600.0 >= HEAVY * row.n_agents
    return calls * HEAVY_TIMES if is_heavy else calls


def measure(row: Row, calls: int, replications: int) -> Measured:
    measured = Measured(row, expected(row))
    total, waiting_s = None, 0.0
    for seed in range(101, 101 + replications):
        result = simulate(row, calls_of(row, calls), seed)
        measured.fifo_violations += result.fifo_violations
        waiting_s += result.waiting_s
        if total is None:
            total = result.total
        else:
            total.add(result.total)
    assert total is not None
    measured.found = {
        "lost": total.sent_on / total.ended,
        "waits": total.wait_share,
        "gives_up": total.abandon_share,
        "in_time": total.service_level,
        "mean_wait_s": total.mean_wait_s,
        "little": waiting_s / total.wait_s if total.wait_s else 1.0,
    }
    return measured


def run(calls: int, replications: int, processes: int) -> dict[str, Any]:
    todo = rows()
    with ProcessPoolExecutor(max_workers=processes) as pool:
        futures = [pool.submit(measure, row, calls, replications) for row in todo]
        done = [future.result() for future in futures]
    return {
        "rows": len(done),
        "rows_within_tolerance": sum(not each.off for each in done),
        "fifo_violations": sum(each.fifo_violations for each in done),
        "calls_per_row": calls * replications,
        "calls_per_heavy_row": calls * replications * HEAVY_TIMES,
        "table": [_plain(each) for each in done],
    }


def _plain(measured: Measured) -> dict[str, Any]:
    return {
        **asdict(measured.row),
        "off": measured.off,
        **{
            name: {"expected": round(value, 5), "found": round(measured.found[name], 5)}
            for name, value in measured.expected.items()
        },
    }


def table(result: dict[str, Any]) -> tuple[tuple[str, ...], list[list[Any]]]:
    """Columns and lines to print: expected / found."""
    names = ("lost", "waits", "gives_up", "mean_wait_s", "in_time", "little")
    lines = [
        [
            row["model"],
            row["n_agents"],
            f"{row['calls_per_hour']:g}",
            f"{row['patience_s']:g}" if row["patience_s"] else "",
            *(f"{row[name]['expected']:.4f} / {row[name]['found']:.4f}" if name in row else "" for name in names),
            " ".join(row["off"]) or "within",
        ]
        for row in result["table"]
    ]
    return ("Erlang", "agents", "calls/h", "patience s", *names, "tolerance"), lines
