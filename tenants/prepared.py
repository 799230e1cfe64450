"""Queries that are put into SQL once and asked again and again."""

from __future__ import annotations

from copy import copy
from typing import Any, Final, Generic, TypeVar, cast

from django.db import connections
from django.db.models import Model, QuerySet
from django.db.models.sql.compiler import SQLCompiler
from django.db.models.sql.query import Query

M = TypeVar("M", bound=Model)

QUERIES_KEPT: Final = 512
"""So many queries of one kind are kept by a process (tenants.kept), of as many firms or people."""

ANY_ROW: Final = -1
"""No row has this number: in a kept query it holds the place of the one that is asked for."""


class Prepared(Generic[M]):
    """The rows of a query, put into SQL when it is made.

    To put a query of some joins together takes the web longer than to read what it finds. One that every page asks is
    worth keeping (tenants.kept), by all that has gone into it: each of its values stays as it was. Only those that
    equal one of `marks` are replaced by what is asked for.
    """

    def __init__(self, rows: QuerySet[M], *marks: Any) -> None:
        self._rows = rows
        self._compiler = rows.query.get_compiler(using=rows.db)
        self._sql, self._params = self._compiler.as_sql()
        self._marked = [(place, marks.index(value)) for place, value in enumerate(self._params) if value in marks]

    def rows(self, *values: Any) -> list[M]:
        """What the query finds now, with each of `values` in the place of its mark."""
        params = list(self._params)
        for place, mark in self._marked:
            params[place] = values[mark]
        compiler = copy(self._compiler)
        compiler.connection = connections[compiler.using]  # each thread has its own
        vars(compiler)["as_sql"] = lambda *_args, **_kwargs: (self._sql, tuple(params))
        asked = self._rows.all()
        asked.query = _Ready.of(asked.query, compiler)
        return list(asked)


class _Ready(Query):
    """A query whose compiler is at hand."""

    ready: SQLCompiler

    @classmethod
    def of(cls, query: Query, compiler: SQLCompiler) -> _Ready:
        found = cast(_Ready, query.chain(klass=cls))
        found.ready = compiler
        return found

    def get_compiler(self, *args: Any, **kwargs: Any) -> SQLCompiler:
        return self.ready
