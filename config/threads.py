"""How many processors a numeric library may take: left alone, each process would take all of them.

Two workers that each start as many threads as there are processors wait for one another: a fit of a second has taken
half a minute. The libraries read these names once, when they are loaded.
"""

import os

WORKERS = 2  # that a host runs side by side


def fair_share() -> dict[str, str]:
    """The settings by which WORKERS processes share the processors; what is set already goes before them."""
    share = str(max(1, (os.cpu_count() or 1) // WORKERS))
    return dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "POLARS_MAX_THREADS"), share)
