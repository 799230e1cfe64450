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
    with patch("config.demo.history.SHAPES", few), patch("config.demo.weeks.NIGHTS_AGO", (14, 7, 2, 0)):
        yield
