"""The night's step that counts what the desks of teams and of the firm show, for everybody who looks."""

from __future__ import annotations

import json

import polars as pl

from customers.tallies import AUDIENCE, write_tallies
from dashboards.team.figures import known_figures
from health.models import HealthTally
from tenants.runs import Counts, Piece, Step


def run(piece: Piece) -> Counts:
    """Count every figure as of a day; comes after the night. Returns tallies (rows): one for each figure, of the whole firm."""
    nobody = dict.fromkeys(AUDIENCE, pl.Series([None], dtype=pl.Int64))
    figures = {
        name: pl.DataFrame({**nobody, "cells": [json.dumps(count(piece.as_of))]})
        for name, count in known_figures().items()
    }
    return {"tallies": write_tallies(HealthTally, piece.as_of, figures)}


STEP = Step(run, splits=False)
