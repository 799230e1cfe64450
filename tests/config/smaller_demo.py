"""A demo that is made in a second."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from unittest.mock import patch

from config.demo.shapes import SHAPES


@contextmanager
def smaller_demo() -> Iterator[None]:
    """While open, demo firms have three customers of every shape and a few nights behind them."""
    few = tuple(replace(shape, customers=3) for shape in SHAPES)
    with (
        patch("config.demo.history.SHAPES", few),
        patch("config.demo.weeks.NIGHTS_AGO", (14, 7, 2, 0)),
        # So few follow-ups: a good part must be put off, or on some days none is.
        patch.multiple("config.demo.weeks", _DONE_SHARE=0.5, _SNOOZED_SHARE=0.3),
    ):
        yield
