"""The versions of the policy: the list, one of them in words, two of them side by side."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Final

from django.core.exceptions import BadRequest
from django.db.models import Min
from django.http import HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.utils.translation import gettext as _

from dashboards import policy_draft
from dashboards.policy_fields import Document, changes
from dashboards.policy_form import in_words
from dashboards.views.policy import PolicyView
from tenants.export import write_csv
from tenants.models import PolicyVersion, Run
from tenants.policies import Policy, complete_document, versions
from tenants.policy_words import PACK_LABELS, section_title

PAGE: Final = 50
DRAFT: Final = "draft"


@dataclass(frozen=True)
class Line:
    """A version in the list. `changes` is None for the first; `since` the day of the first night that worked by it."""

    row: PolicyVersion
    pack: str
    changes: int | None
    since: dt.date | None


class VersionList(PolicyView):
    """All versions, newest first: who saved them, why, and how much each changed."""

    def get(self, request: HttpRequest, **kwargs: Any) -> HttpResponseBase:
        if request.GET.get("export"):
            return self.export()
        asked = request.GET.get("before", "")
        if asked and not (asked.isdecimal() and len(asked) < 10):
            raise BadRequest(_("before is the number of a version, not %(text)s.") % {"text": asked})
        lines = list(self.lines(int(asked) if asked else None, PAGE + 1))
        shown = lines[:PAGE]
        return self.render(
            "dashboards/policy_versions.html",
            lines=shown,
            active_number=self.active.number,
            can_compare=len(shown) > 1,
            older=shown[-1].row.number if len(lines) > PAGE else None,
        )

    def lines(self, before: int | None, most: int | None) -> Iterator[Line]:
        rows = versions() if before is None else versions().filter(number__lt=before)
        chosen = list(rows if most is None else rows[:most])
        numbers = [row.number for row in chosen]
        # The version before each is needed to say what it changed.
        wanted = PolicyVersion.objects.filter(number__in={*numbers, *(number - 1 for number in numbers)})
        known = {row.number: complete_document(Policy(row.number, row.pack, row.document)) for row in wanted}
        nights = Run.objects.filter(policy_version__in=numbers).values("policy_version")
        since = dict(nights.annotate(first=Min("for_date")).values_list("policy_version", "first"))
        for row in chosen:
            earlier = known.get(row.number - 1)
            count = None if earlier is None else len(changes(earlier, known[row.number]))
            yield Line(row, str(PACK_LABELS.get(row.pack, row.pack)), count, since.get(row.number))

    def export(self) -> StreamingHttpResponse:
        columns = [
            _("Version"), _("Pack"), _("Saved"), _("By whom"), _("Why"), _("Changes"), _("First night"),
        ]  # fmt: skip
        rows = [
            (
                line.row.number,
                line.pack,
                line.row.created_at,
                str(line.row.created_by or ""),
                line.row.note,
                line.changes,
                line.since,
            )
            for line in self.lines(None, None)
        ]
        return self.csv_file("policy", list(write_csv(columns, rows)))


class Version(PolicyView):
    """One version in words, with the way back to it."""

    def get(self, request: HttpRequest, number: int, **kwargs: Any) -> HttpResponse:
        policy, row = self.numbered(number), self.row(number)
        return self.render(
            "dashboards/policy_version.html",
            row=row,
            pack=PACK_LABELS.get(policy.pack, policy.pack),
            columns=in_words(complete_document(policy)),
            active_number=self.active.number,
            since=Run.objects.filter(policy_version=number).aggregate(first=Min("for_date"))["first"],
        )


@dataclass(frozen=True)
class Side:
    """One of the two that are compared: its number or "draft", what it is called, and who saved it."""

    key: str
    name: str
    row: PolicyVersion | None
    pack: str
    document: Document


class Compare(PolicyView):
    """Two versions, or a version and the draft, side by side: only what differs."""

    def get(self, request: HttpRequest, **kwargs: Any) -> HttpResponse:
        to = self.side(request.GET.get("to") or str(self.active.number))
        usual = str(self.active.number) if to.key == DRAFT else str(max(1, int(to.key) - 1))
        before = self.side(request.GET.get("from") or usual)
        found = changes(before.document, to.document)
        grouped = [
            (section_title(section), list(some)) for section, some in groupby(found, key=lambda change: change.section)
        ]
        return self.render(
            "dashboards/policy_compare.html",
            before=before,
            after=to,
            groups=grouped,
            count=len(found),
            numbers=self.numbers(before, to),
            may_draft=self.member.can("policy:write"),
            active_number=self.active.number,
        )

    def numbers(self, *sides: Side) -> list[str]:
        """What can be chosen: the newest versions, and those that are shown."""
        newest = set(versions().values_list("number", flat=True)[:PAGE])
        return [
            str(number) for number in sorted(newest | {each.row.number for each in sides if each.row}, reverse=True)
        ]

    def side(self, key: str) -> Side:
        if key == DRAFT and self.member.can("policy:write"):
            draft = policy_draft.draft_of(self.request)
            pack = str(PACK_LABELS.get(draft.pack, draft.pack))
            return Side(DRAFT, _("draft"), None, pack, draft.document)
        if not key.isdecimal() or len(key) > 9:
            raise BadRequest(_("from and to are numbers of versions, not %(text)s.") % {"text": key})
        policy, row = self.numbered(int(key)), self.row(int(key))
        pack = str(PACK_LABELS.get(policy.pack, policy.pack))
        return Side(str(policy.number), f"v{policy.number}", row, pack, complete_document(policy))
