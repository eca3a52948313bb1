"""The cycle collector of a long-running process (SIGNALLING §2): calls make no cycles, so it has little to do."""

import gc

THRESHOLDS = (100_000, 50, 100)


def calm_collector() -> None:
    """What lives now lives as long as the process and is not looked at again; what comes is looked at seldom."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*THRESHOLDS)
