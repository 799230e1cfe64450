"""Win-back: lapsed customers by expected money, one lapse with its offers, and which offers bring customers back."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any, ClassVar

from django import forms
from django.contrib import messages
from django.core.exceptions import BadRequest
from django.db.models import Sum
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from customers.models import Channel
from risk.models import PlaybookRun, WinBack, WinBackTry
from risk.rules.win_back import ENOUGH, group_of, reckoned_on, silent_months
from risk.rules.win_back_policy import WinBackPolicy
from risk.win_back import services as win_backs
from risk.win_back.lists import WAITING, WinBackFilter, WinBackTable, win_back_rows
from risk.win_back.nightly import history
from tenants.export import write_csv
from tenants.pages import FormPage, ListPage, TenantView
from tenants.policies import active_policy
from tenants.querysets import last_night


class WinBacks(ListPage):
    """Lapsed customers that the member sees, the most expected money first."""

    permission = "win-backs:read"
    nav = "win-backs"
    queryset = staticmethod(win_back_rows)
    filterset = WinBackFilter
    table = WinBackTable
    template = "risk/win_backs.html"
    empty = "risk/win_backs_empty.html"
    sort = "-expected"
    export_permission = "customers:export"
    export_name = "win-back"

    def counted(self, count: int, shown: str) -> str:
        return ngettext("%(count)s customer", "%(count)s customers", count) % {"count": shown}

    def context(self, rows: Sequence[Any]) -> dict[str, Any]:
        if self.request.htmx:
            return {}
        night = last_night()
        waiting = self.seen.filter(status__in=WAITING)
        return {
            "section": "list",
            "as_of": night.for_date if night else None,
            "expected": waiting.aggregate(sum=Sum("expected"))["sum"],
            "horizon": active_policy().section(WinBackPolicy).horizon_days,
        }


class Rates(TenantView):
    """Which offers bring customers back, each rate with its interval, against those whom nobody tried to win back."""

    permission = "win-backs:read"
    nav = "win-backs"

    def get(self, request: HttpRequest, **kwargs: Any) -> HttpResponseBase:
        self.refuse_unknown("export")
        if request.GET.get("export", "csv") != "csv":
            raise BadRequest(_("The one form of export is csv."))
        today = self.request.tenant.today()
        lapses = WinBack.objects.visible_to(self.member)
        found = win_backs.offer_rates(WinBackTry.objects.visible_to(self.member), lapses, today)
        titles = {code: str(label) for code, label in WinBackTry.Offer.choices}
        if "export" in request.GET:
            self.check_export("customers:export")
            heads = [_("Offer"), _("Decided"), _("Came back"), _("Share"), _("Lower end"), _("Upper end")]
            lines = [[titles[x.offer], x.rate.of, x.rate.hits, x.rate.share, x.rate.low, x.rate.high] for x in found]
            return self.csv_file("win-back-rates", write_csv(heads, lines))
        days = active_policy().section(WinBackPolicy).credit_days
        return self.render(
            "risk/win_back_rates.html",
            section="rates",
            lines=[(titles[each.offer], each) for each in found],
            days=days,
            enough=ENOUGH,
            returned=lapses.filter(status=WinBack.Status.RETURNED).count(),
            whole=lapses.count(),
            history=history(),
        )


class _OfWinBack(TenantView):
    permission = "win-backs:read"
    write_permission = "win-backs:write"
    nav = "win-backs"

    @cached_property
    def win_back(self) -> WinBack:
        found: WinBack = get_object_or_404(win_back_rows(self.member), pk=self.kwargs["pk"])
        return found

    def back(self) -> str:
        return self.address("win-back", pk=self.win_back.pk)


class WinBackPage(_OfWinBack):
    """One lapse: why it is where it is in the list, what was offered, and what came of it."""

    def get(self, request: HttpRequest, **kwargs: Any) -> HttpResponse:
        self.refuse_unknown()
        row, today = self.win_back, self.request.tenant.today()
        group, month = group_of(row.orders), silent_months(row.last_order_on, reckoned_on(today))
        known = history()
        return self.render(
            "risk/win_back.html",
            win_back=row,
            attempts=row.attempts.select_related("member__user"),
            days=(today - row.last_order_on).days,
            horizon=active_policy().section(WinBackPolicy).horizon_days,
            reached=sum(each.reached for each in known.months if (each.group, each.month) == (group, month)),
            silences=known.silences,
            returns=known.returns,
            run=PlaybookRun.objects.filter(
                customer=row.customer, playbook__code=win_backs.PLAYBOOK, ended_at__isnull=True
            ).first(),
            may_write=self.member.can("win-backs:write") and row.status != WinBack.Status.RETURNED,
        )


class OfferForm(forms.Form):
    """An offer to a customer that went."""

    offer = forms.ChoiceField(label=gettext_lazy("Offer"), choices=WinBackTry.Offer.choices)
    terms = forms.CharField(
        label=gettext_lazy("Terms"), max_length=300, required=False, widget=forms.TextInput({"data-wide": True}),
        help_text=gettext_lazy("In numbers, as the customer was told: 60 days, three months, 5%."),
    )  # fmt: skip
    channel = forms.ChoiceField(
        label=gettext_lazy("Channel"), choices=[("", gettext_lazy("not said")), *Channel.choices], required=False
    )
    note = forms.CharField(label=gettext_lazy("Note"), max_length=300, required=False)
    with_playbook = forms.BooleanField(label=gettext_lazy("Begin the win-back playbook"), required=False)


class AnswerForm(forms.Form):
    """What the customer said."""

    result = forms.ChoiceField(label=gettext_lazy("What came of it"), choices=WinBackTry.Result.choices)
    note = forms.CharField(label=gettext_lazy("Note"), max_length=300, required=False)


class GiveUpForm(forms.Form):
    """Why nobody tries any more."""

    reason = forms.CharField(label=gettext_lazy("Why"), max_length=200)


class _Verb(_OfWinBack, FormPage):
    permission = "win-backs:write"
    form_class: ClassVar[type[forms.Form]] = forms.Form
    done_words: ClassVar[str | Promise] = ""

    def form(self, data: Any = None, files: Any = None) -> forms.Form:
        return self.form_class(data)

    def finished(self) -> HttpResponse:
        messages.success(self.request, str(self.done_words))
        return self.done("win-back", pk=self.win_back.pk)


class Offer(_Verb):
    """Make an offer."""

    heading = gettext_lazy("What is offered?")
    submit = gettext_lazy("Offered")
    form_class = OfferForm
    done_words = gettext_lazy("The offer is written down.")

    def save(self, form: Any) -> HttpResponseBase:
        win_backs.offer(win_back=self.win_back, member=self.member, **form.cleaned_data)
        return self.finished()


class GiveUp(_Verb):
    """Nobody tries any more."""

    heading = gettext_lazy("Give this customer up?")
    submit = gettext_lazy("Give up")
    form_class = GiveUpForm
    done_words = gettext_lazy("The customer is given up. If it orders again, it is recognised all the same.")

    def save(self, form: Any) -> HttpResponseBase:
        win_backs.give_up(win_back=self.win_back, member=self.member, **form.cleaned_data)
        return self.finished()


class TakeUp(_Verb):
    """It is tried again after all."""

    heading = gettext_lazy("Try to win this customer back again?")
    submit = gettext_lazy("Try again")
    done_words = gettext_lazy("The customer is in the list again.")

    def save(self, form: Any) -> HttpResponseBase:
        win_backs.take_up(win_back=self.win_back, member=self.member)
        return self.finished()


class Answer(_Verb):
    """What the customer said to an offer."""

    heading = gettext_lazy("What came of it?")
    done_words = gettext_lazy("The answer is written down.")

    @cached_property
    def attempt(self) -> WinBackTry:
        rows = WinBackTry.objects.visible_to(self.member).select_related("win_back")
        found: WinBackTry = get_object_or_404(rows, pk=self.kwargs["pk"])
        return found

    @cached_property
    def win_back(self) -> WinBack:
        return self.attempt.win_back

    def form(self, data: Any = None, files: Any = None) -> forms.Form:
        return AnswerForm(data, initial={"result": self.attempt.result, "note": self.attempt.note})

    def save(self, form: Any) -> HttpResponseBase:
        win_backs.answer(attempt=self.attempt, member=self.member, **form.cleaned_data)
        return self.finished()
