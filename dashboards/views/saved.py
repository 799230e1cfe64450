"""Saved segments: the list of them, saving the filters of the customers list, and changing one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect
from django.utils.functional import cached_property
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from dashboards import segments
from dashboards.filters import CustomerPageFilter
from dashboards.segments import MONTH, WEEK, Numbers
from segmentation import saved
from segmentation.models import SavedSegment
from tenants.models import Member
from tenants.pages import FormPage, TenantView
from tenants.templatetags.perennial import whole


class SegmentForm(forms.Form):
    """What a saved segment is called, and whether everybody sees it."""

    name = forms.CharField(label=gettext_lazy("Name"), max_length=80, widget=forms.TextInput({"autocomplete": "off"}))
    is_shared = forms.BooleanField(label=gettext_lazy("Everybody sees it"), required=False)


@dataclass(frozen=True)
class Line:
    """A saved segment in the list; `problem` is why its filters no longer work, in the reader's language."""

    row: SavedSegment
    numbers: Numbers
    words: list[tuple[str, str]]
    problem: str
    may_change: bool


class SegmentView(TenantView):
    """Something of one saved segment; one that the member does not see is not there."""

    permission = "segments:read"
    write_permission = "segments:write"
    nav = "segments"

    @cached_property
    def segment(self) -> SavedSegment:
        rows = SavedSegment.objects.visible_to(self.member).select_related("member__user")
        found: SavedSegment = get_object_or_404(rows, pk=self.kwargs["pk"])
        return found


class SavedSegments(TenantView):
    """The saved segments that the member sees, with how many are in each, who joined and who left."""

    permission = "segments:read"
    nav = "segments"

    def get(self, request: HttpRequest, **kwargs: Any) -> HttpResponse:
        rows = list(SavedSegment.objects.visible_to(self.member).select_related("member__user"))
        on = segments.as_of()
        numbers = segments.numbers_of(rows, self.member, on)
        words = segments.in_words(rows)
        lines = [
            Line(
                row,
                numbers[row.pk],
                words[row.pk],
                (segments.problem_of(row.filters, on) or row.problem) if row.problem else "",
                saved.may_change(row, self.member),
            )
            for row in rows
        ]
        return self.render(
            "dashboards/segments_saved.html",
            section="saved",
            lines=lines,
            week=on - WEEK,
            month=on - MONTH,
            may_evaluate=self.member.can("segments:write"),
        )


class SegmentSave(FormPage):
    """Give the filters of the customers list a name; they come in this page's own address."""

    permission = "segments:write"
    nav = "customers"
    heading = gettext_lazy("Save as segment")

    @cached_property
    def filters(self) -> dict[str, list[str]]:
        names = CustomerPageFilter.names()
        return saved.plain({name: values for name, values in self.request.GET.lists() if name in names})

    def form(self, data: Any = None, files: Any = None) -> SegmentForm:
        return SegmentForm(data)

    def save(self, form: SegmentForm) -> HttpResponseBase:
        segment = segments.save_segment(filters=self.filters, member=self.member, **form.cleaned_data)
        count = _seen(segment, self.member)
        words = ngettext(
            "“%(name)s” is saved: %(count)s customer. Every night looks anew.",
            "“%(name)s” is saved: %(count)s customers. Every night looks anew.",
            count,
        )
        messages.success(self.request, words % {"name": segment, "count": whole(count)})
        return self.done("segments-saved")

    def back(self) -> str:
        query = self.request.GET.urlencode()
        return f"{self.address('customers')}?{query}" if query else self.address("customers")


class SegmentOpen(SegmentView):
    """Who is in it: the customers list."""

    def get(self, request: HttpRequest, **kwargs: Any) -> HttpResponse:
        return redirect(f"{self.address('customers')}?saved={self.segment.pk}")


class _OwnSegment(SegmentView, FormPage):
    """A form about a segment that the member may change."""

    permission = "segments:write"

    def get(self, request: HttpRequest, **kwargs: Any) -> HttpResponse:
        saved.refuse_others(self.segment, self.member)
        return super().get(request, **kwargs)

    def post(self, request: HttpRequest, **kwargs: Any) -> HttpResponseBase:
        saved.refuse_others(self.segment, self.member)
        return super().post(request, **kwargs)

    def back(self) -> str:
        return self.address("segments-saved")


class SegmentEdit(_OwnSegment):
    """Another name, and who sees it."""

    def title(self) -> str:
        return self.segment.name

    def form(self, data: Any = None, files: Any = None) -> SegmentForm:
        return SegmentForm(data, initial={"name": self.segment.name, "is_shared": self.segment.is_shared})

    def save(self, form: SegmentForm) -> HttpResponse:
        segments.change_segment(segment=self.segment, member=self.member, **form.cleaned_data)
        messages.success(self.request, _("“%(name)s” is saved.") % {"name": self.segment})
        return self.done("segments-saved")


class SegmentDelete(_OwnSegment):
    """Take a segment away, once that is confirmed."""

    submit = gettext_lazy("Delete")

    def title(self) -> str:
        return _("Delete “%(what)s”?") % {"what": self.segment.name}

    def form(self, data: Any = None, files: Any = None) -> forms.Form:
        return forms.Form(data)

    def save(self, form: forms.Form) -> HttpResponse:
        name = self.segment.name
        saved.delete_segment(segment=self.segment, member=self.member)
        messages.success(self.request, _("“%(name)s” is deleted.") % {"name": name})
        return self.done("segments-saved")


class SegmentEvaluate(SegmentView):
    """Look now who is in it, instead of next night."""

    permission = "segments:write"

    def post(self, request: HttpRequest, **kwargs: Any) -> HttpResponse:
        if segments.evaluate(self.segment) is None:
            messages.error(request, _("The filters of “%(name)s” no longer work.") % {"name": self.segment})
        else:
            count = _seen(self.segment, self.member)
            words = ngettext(
                "“%(name)s” is evaluated: %(count)s customer.", "“%(name)s” is evaluated: %(count)s customers.", count
            )
            messages.success(request, words % {"name": self.segment, "count": whole(count)})
        return self.done("segments-saved")


def _seen(segment: SavedSegment, member: Member) -> int:
    """How many are in it, of those whom the member sees: filters must not tell of customers of others."""
    return segments.numbers_of([segment], member, segments.as_of())[segment.pk].members
