"""Python's search for garbage that reference counts do not find, as a web process wants it.

What the start has made, modules, models, addresses and tags of templates, stays until the end. Now and then the search
looks through all of its hundreds of thousands of objects and finds nothing; the request that happens to be due then
takes a quarter of a second longer (docs/scale.md).
"""

from __future__ import annotations

import gc


def settle() -> None:
    """Take what there is now out of the search. Called once, when all is loaded."""
    gc.collect()
    gc.freeze()
