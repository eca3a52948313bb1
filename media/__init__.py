"""The media process: sessions, the tick, hear-matrix mixing, codecs, DTMF, tones, prompts, recording.

Main type: `media.engine.Engine`, driven by `media.worker`. Rule: the tick allocates nothing and waits for nothing.
"""

import os

# The tick's matrix products take microseconds. BLAS would share them with threads of its own, which then spin for more
# to come (measured with 20 calls on two cores: four times the time, ticks up to 0.8 s late). numpy reads this when it
# is loaded.
for _name in ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS"):
    os.environ.setdefault(_name, "1")
