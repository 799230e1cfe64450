"""The lists of surveys: what was answered, who was asked, and the account's NPS; their rows, filters and columns."""

from __future__ import annotations

import datetime as dt
from typing import Any, ClassVar, Final

import django_filters as filters
from django import forms
from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import (
    Case,
    Exists,
    F,
    FilteredRelation,
    FloatField,
    OuterRef,
    Q,
    QuerySet,
    Subquery,
    When,
)
from django.db.models.functions import Cast
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext, pgettext_lazy

from customers.models import Channel, Customer, SurveyResponse
from followups.messages.whys import message_why
from followups.models import FollowUp, Reason, Survey, SurveyReason
from followups.surveys.figures import CONTENT_FROM, DETRACTOR, PASSIVE, PROMOTER
from tenants.context import current_tenant
from tenants.filters import IdFilter, StrictFilterSet, members, updated_since
from tenants.models import Member
from tenants.pages import ChoiceColumn, PageTable, PlainColumn, WordsColumn
from tenants.templatetags.perennial import MINUS, day, moment

STATES: Final = [
    ("open", pgettext_lazy("survey", "waiting for an answer")),
    ("answered", pgettext_lazy("survey", "answered")),
    ("expired", pgettext_lazy("survey", "ended without an answer")),
    ("blocked", pgettext_lazy("survey", "not asked")),
]
STAGES: Final = [
    ("low", gettext_lazy("Low answers")),
    ("not_analysed", gettext_lazy("Not analysed yet")),
    ("open", gettext_lazy("Follow-up open")),
    ("late", gettext_lazy("Follow-up late")),
    ("done", gettext_lazy("Follow-up done")),
    ("asked_again", gettext_lazy("Asked again")),
    ("answered_again", gettext_lazy("Answered again")),
    ("improved", gettext_lazy("Better now")),
]
GROUPS: Final = [
    ("promoter", gettext_lazy("Promoters (9 and 10)")),
    ("passive", gettext_lazy("Passives (7 and 8)")),
    ("detractor", gettext_lazy("Detractors (0 to 6)")),
    ("content", gettext_lazy("Satisfied (CSAT 4 and 5)")),
    ("not_content", gettext_lazy("Not satisfied (CSAT 1 to 3)")),
]
_GROUPS: Final = {
    "promoter": PROMOTER,
    "passive": PASSIVE,
    "detractor": DETRACTOR,
    "content": Q(kind="csat", score__gte=CONTENT_FROM),
    "not_content": Q(kind="csat", score__lt=CONTENT_FROM),
}
_OPEN: Final = Q(loops__follow_up__status=FollowUp.Status.OPEN)


def nps_words(value: float | None) -> str:
    """A net promoter score with its sign: −25, 0, 40."""
    return "–" if value is None else f"{round(value)}".replace("-", MINUS)


# ── rows ────────────────────────────────────────────────────────────────────


def answer_rows(member: Member) -> QuerySet[SurveyResponse]:
    """Answers that the member sees, with their reasons and how far a low one has come."""
    codes = SurveyReason.objects.filter(response=OuterRef("pk")).order_by("code").values("code")
    rows: QuerySet[SurveyResponse] = (
        SurveyResponse.objects.visible_to(member)
        .annotate(
            codes=ArraySubquery(codes),
            loop=F("loops__pk"),
            analysed_at=F("loops__analysed_at"),
            behind=F("loops__behind"),
            follow_up=F("loops__follow_up"),
            follow_up_status=F("loops__follow_up__status"),
            follow_up_due=F("loops__follow_up__due_at"),
            asked_again=F("loops__asked_again"),
            improved=F("loops__improved"),
        )
        .select_related("customer", "contact")
    )
    return rows


def account_rows(member: Member) -> QuerySet[Customer]:
    """Customers that the member sees of whom somebody has answered NPS in the days that health looks at (K13).

    `nps` over the contacts' latest answers as the health score has it; of a single answer `rating`, 0 to 10, instead.
    """
    answers = SurveyResponse.objects.filter(customer=OuterRef("pk"), kind="nps").order_by("-at", "-pk")
    tenant = current_tenant().pk
    score = Cast(F("health__promoters") - F("health__detractors"), FloatField()) * 100 / F("health__nps_count")
    rows: QuerySet[Customer] = (
        Customer.objects.visible_to(member)
        .annotate(health=FilteredRelation("health_scores", condition=Q(health_scores__tenant_id=tenant)))
        .filter(health__nps_count__gt=0)
        .annotate(
            answers=F("health__nps_count"),
            promoters=F("health__promoters"),
            detractors=F("health__detractors"),
            nps=Case(When(health__nps_count__gt=1, then=score), output_field=FloatField()),
            rating=Case(When(health__nps_count=1, then=Subquery(answers.values("score")[:1]))),
            answered_at=Subquery(answers.values("at")[:1]),
        )
        .select_related("owner_a__user", "owner_b__user")
    )
    return rows


def _date() -> forms.DateInput:
    return forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d")


# ── filters ─────────────────────────────────────────────────────────────────


class AnswerFilter(StrictFilterSet):
    kind = filters.ChoiceFilter(choices=SurveyResponse.Kind.choices, label=gettext_lazy("Kind"))
    group = filters.ChoiceFilter(choices=GROUPS, method="by_group", label=gettext_lazy("Answer"))
    reason = filters.ChoiceFilter(choices=Reason.choices, method="by_reason", label=gettext_lazy("Reason"))
    stage = filters.ChoiceFilter(choices=STAGES, method="by_stage", label=gettext_lazy("Low answers"))
    since = filters.DateFilter(method="from_day", label=gettext_lazy("On or after"), widget=_date())
    until = filters.DateFilter(method="to_day", label=gettext_lazy("On or before"), widget=_date())
    customer = IdFilter(field_name="customer_id", label=gettext_lazy("Customer"))
    on_demand = frozenset({"customer"})

    class Meta:
        model = SurveyResponse
        fields: ClassVar[list[str]] = []

    def by_group(self, rows: QuerySet[Any], _name: str, group: str) -> QuerySet[Any]:
        return rows.filter(_GROUPS[group])

    def by_reason(self, rows: QuerySet[Any], _name: str, code: str) -> QuerySet[Any]:
        return rows.filter(Exists(SurveyReason.objects.filter(response=OuterRef("pk"), code=code)))

    def by_stage(self, rows: QuerySet[Any], _name: str, stage: str) -> QuerySet[Any]:
        return rows.filter(stages()[stage])

    def from_day(self, rows: QuerySet[Any], _name: str, value: dt.date) -> QuerySet[Any]:
        return rows.filter(at__gte=current_tenant().start_of(value))

    def to_day(self, rows: QuerySet[Any], _name: str, value: dt.date) -> QuerySet[Any]:
        return rows.filter(at__lt=current_tenant().start_of(value + dt.timedelta(days=1)))


def stages() -> dict[str, Q]:
    """How far low answers have come, as conditions of answers; "late" as of now."""
    return {
        "low": Q(loops__isnull=False),
        "not_analysed": Q(loops__isnull=False, loops__analysed_at__isnull=True),
        "open": _OPEN,
        "late": _OPEN & Q(loops__follow_up__due_at__lt=timezone.now()),
        "done": Q(loops__follow_up__status=FollowUp.Status.DONE),
        "asked_again": Q(loops__asked_again__isnull=False) | Q(loops__verified_by__isnull=False),
        "answered_again": Q(loops__verified_by__isnull=False),
        "improved": Q(loops__improved=True),
    }


class SurveyFilter(StrictFilterSet):
    """Who was asked; serves the page and the API."""

    kind = filters.ChoiceFilter(choices=SurveyResponse.Kind.choices, label=gettext_lazy("Kind"))
    state = filters.ChoiceFilter(choices=STATES, label=gettext_lazy("Status"))
    cause = filters.ChoiceFilter(choices=Survey.Cause.choices, label=gettext_lazy("Why asked"))
    since = filters.DateFilter(method="from_day", label=gettext_lazy("Asked on or after"), widget=_date())
    until = filters.DateFilter(method="to_day", label=gettext_lazy("Asked on or before"), widget=_date())
    customer = IdFilter(field_name="customer_id", label=gettext_lazy("Customer"))
    contact = IdFilter(field_name="contact_id", label=gettext_lazy("Contact"))
    updated_since = updated_since()
    on_demand = frozenset({"customer", "contact", "updated_since"})

    class Meta:
        model = Survey
        fields: ClassVar[list[str]] = []

    def from_day(self, rows: QuerySet[Any], _name: str, value: dt.date) -> QuerySet[Any]:
        return rows.filter(asked_at__gte=current_tenant().start_of(value))

    def to_day(self, rows: QuerySet[Any], _name: str, value: dt.date) -> QuerySet[Any]:
        return rows.filter(asked_at__lt=current_tenant().start_of(value + dt.timedelta(days=1)))


class AccountFilter(StrictFilterSet):
    q = filters.CharFilter(field_name="search_name", lookup_expr="icontains", label=gettext_lazy("Customer"))
    owner_a = filters.ModelChoiceFilter(
        queryset=members, null_label=gettext_lazy("nobody"), label=gettext_lazy("A owner")
    )
    side = filters.ChoiceFilter(
        choices=[
            ("below", gettext_lazy("below 0")), ("above", gettext_lazy("0 and above")),
            ("single", gettext_lazy("a single answer")),
        ],
        method="by_side",
        label=gettext_lazy("NPS"),
    )  # fmt: skip

    class Meta:
        model = Customer
        fields: ClassVar[list[str]] = []

    def by_side(self, rows: QuerySet[Any], _name: str, side: str) -> QuerySet[Any]:
        if side == "single":
            return rows.filter(answers=1)
        return rows.filter(nps__lt=0) if side == "below" else rows.filter(nps__gte=0)


# ── columns ─────────────────────────────────────────────────────────────────


class _OfCustomerTable(PageTable):
    """Rows of customers, whose name leads to them."""

    def customer_link(self, pk: int, name: str) -> str:
        address = reverse("customer", kwargs={"tenant": self.request.tenant.slug, "pk": pk})
        return format_html('<a class="row-link" href="{}">{}</a>', address, name)

    class Meta(PageTable.Meta):
        pass


class AnswerTable(_OfCustomerTable):
    """Answers, newest first, and what came of low ones."""

    at = WordsColumn(moment, verbose_name=gettext_lazy("When"))
    customer = PlainColumn(verbose_name=gettext_lazy("Customer"), order_by=("customer.search_name",))
    contact = PlainColumn(verbose_name=gettext_lazy("Contact"), order_by=("contact.name",))
    score = PlainColumn(verbose_name=gettext_lazy("Answer"), order_by=("kind", "score"))
    codes = PlainColumn(verbose_name=gettext_lazy("Reasons"), orderable=False, attrs={"td": {"class": "wrap"}})
    text = PlainColumn(verbose_name=gettext_lazy("Own words"), orderable=False, attrs={"td": {"class": "wrap"}})
    follow_up = PlainColumn(verbose_name=gettext_lazy("Follow-up"), orderable=False, empty_values=())
    again = PlainColumn(verbose_name=gettext_lazy("Asked again"), accessor="improved", orderable=False, empty_values=())
    analyse = PlainColumn(verbose_name=gettext_lazy("Analysis"), accessor="loop", orderable=False, empty_values=())
    fixed = ("customer", "score")

    def render_customer(self, record: Any) -> str:
        return self.customer_link(record.customer_id, record.customer.name)

    def value_customer(self, record: Any) -> str:
        return str(record.customer.name)

    def value_contact(self, record: Any) -> str:
        return str(record.contact or "")

    def render_score(self, record: Any) -> str:
        if record.kind == "nps":
            return format_html('NPS <b class="num">{}</b> <span class="mute">{}</span>', record.score, record.group)
        return format_html('CSAT <b class="num">{}</b>', _("%(score)s of 5") % {"score": record.score})

    def value_score(self, record: Any) -> str:
        return f"{record.get_kind_display()} {record.score}"

    def render_codes(self, value: list[str]) -> str:
        return _(", ").join(str(Reason(code).label) for code in value) or "–"

    def value_codes(self, value: list[str]) -> str:
        return _(", ").join(str(Reason(code).label) for code in value)

    def render_follow_up(self, record: Any) -> str:
        words = self.value_follow_up(record)
        if record.follow_up_status != FollowUp.Status.OPEN:
            return words or "–"
        is_late = record.follow_up_due is not None and record.follow_up_due < timezone.now()
        address = reverse("today-one", kwargs={"tenant": self.request.tenant.slug, "pk": record.follow_up})
        return format_html('<a href="{}"{}>{}</a>', address, format_html(' class="late"') if is_late else "", words)

    def value_follow_up(self, record: Any) -> str:
        if record.follow_up is None or not record.follow_up_status:
            return ""
        words = str(FollowUp.Status(record.follow_up_status).label)
        if record.follow_up_status == FollowUp.Status.OPEN and record.follow_up_due:
            return _("%(status)s, due %(when)s") % {"status": words, "when": moment(record.follow_up_due)}
        return words

    def render_again(self, record: Any) -> str:
        return self.value_again(record) or "–"

    def value_again(self, record: Any) -> str:
        if record.improved is not None:
            return _("better now") if record.improved else _("not better")
        return _("asked") if record.asked_again else ""

    def render_analyse(self, record: Any) -> str:
        if record.loop is None:
            return "–"
        address = reverse("survey-loop", kwargs={"tenant": self.request.tenant.slug, "pk": record.loop})
        words = _("analysed") if record.analysed_at else _("Analyse")
        if not self.request.member.can("surveys:write"):
            return words if record.analysed_at else "–"
        return format_html('<a href="{}" hx-get="{}" hx-target="#dialog-body">{}</a>', address, address, words)

    def value_analyse(self, record: Any) -> str:
        return record.behind or ""


class SurveyTable(_OfCustomerTable):
    """Who was asked, when, and what came of it."""

    asked_at = WordsColumn(moment, verbose_name=gettext_lazy("Asked"))
    customer = PlainColumn(verbose_name=gettext_lazy("Customer"), order_by=("customer.search_name",))
    contact = PlainColumn(verbose_name=gettext_lazy("Contact"), order_by=("contact.name",))
    kind = ChoiceColumn(SurveyResponse.Kind.choices, verbose_name=gettext_lazy("Kind"))
    cause = ChoiceColumn(Survey.Cause.choices, verbose_name=gettext_lazy("Why asked"))
    channel = ChoiceColumn(Channel.choices, verbose_name=gettext_lazy("Channel"))
    state = ChoiceColumn(STATES, verbose_name=gettext_lazy("Status"), attrs={"td": {"class": "wrap"}})
    expires_at = WordsColumn(moment, verbose_name=gettext_lazy("Can be answered until"))
    reminders = PlainColumn(verbose_name=gettext_lazy("Reminders"), attrs={"td": {"class": "num"}})
    answered_at = WordsColumn(moment, verbose_name=gettext_lazy("Answered"))
    score = PlainColumn(verbose_name=gettext_lazy("Answer"), attrs={"td": {"class": "num"}})
    asked_by = PlainColumn(verbose_name=gettext_lazy("By"), order_by=("asked_by.user.name",))
    fixed = ("customer", "state")
    extra = ("reminders", "asked_by")

    def render_customer(self, record: Any) -> str:
        return self.customer_link(record.customer_id, record.customer.name)

    def value_customer(self, record: Any) -> str:
        return str(record.customer.name)

    def value_contact(self, record: Any) -> str:
        return str(record.contact)

    def value_asked_by(self, record: Any) -> str:
        return str(record.asked_by or "")

    def render_state(self, record: Any) -> str:
        words = str(dict(STATES)[record.state])
        why = self.why(record)
        return format_html('{} <small class="mute">{}</small>', words, why) if why else words

    def value_state(self, record: Any) -> str:
        words, why = str(dict(STATES)[record.state]), self.why(record)
        return f"{words}: {why}" if why else words

    @staticmethod
    def why(record: Any) -> str:
        """Why nobody was asked, or why it has to wait."""
        if record.message is None or record.state not in {"blocked", "open"} or not record.message.why:
            return ""
        return message_why(record.message)


class AccountTable(PageTable):
    """The account's NPS: over its contacts' latest answers (K13)."""

    name = PlainColumn(verbose_name=gettext_lazy("Customer"), order_by=("search_name",))
    nps = WordsColumn(nps_words, verbose_name=gettext_lazy("NPS"))
    rating = PlainColumn(verbose_name=gettext_lazy("Rating, a single answer"), attrs={"td": {"class": "num"}})
    answers = PlainColumn(verbose_name=gettext_lazy("Contacts who answered"), attrs={"td": {"class": "num"}})
    promoters = PlainColumn(verbose_name=gettext_lazy("Promoters"), attrs={"td": {"class": "num"}})
    detractors = PlainColumn(verbose_name=gettext_lazy("Detractors"), attrs={"td": {"class": "num"}})
    answered_at = WordsColumn(moment, verbose_name=gettext_lazy("Last answer"))
    owner_a = PlainColumn(verbose_name=gettext_lazy("A owner"), order_by=("owner_a.user.name",))
    fixed = ("name",)

    class Meta(PageTable.Meta):
        pass

    def render_name(self, record: Any) -> str:
        address = reverse("customer", kwargs={"tenant": self.request.tenant.slug, "pk": record.pk})
        return format_html('<a class="row-link" href="{}">{}</a>', address, record.name)

    def value_name(self, record: Any) -> str:
        return str(record.name)

    def render_rating(self, value: int) -> str:
        return _("%(score)s of 10") % {"score": value}

    def value_rating(self, value: int) -> int:
        return value

    def render_answers(self, record: Any) -> str:
        slug = self.request.tenant.slug
        address = f"{reverse('surveys-answers', kwargs={'tenant': slug})}?customer={record.pk}&kind=nps"
        return format_html('<a class="n" href="{}">{}</a>', address, record.answers)

    def value_answers(self, record: Any) -> int:
        return int(record.answers)


def surveys_counted(count: int, shown: str) -> str:
    """So many askings, in words."""
    return ngettext("%(count)s survey", "%(count)s surveys", count) % {"count": shown}


def answers_counted(count: int, shown: str) -> str:
    """So many answers, in words."""
    return ngettext("%(count)s answer", "%(count)s answers", count) % {"count": shown}


def period_words(start: dt.date, end: dt.date) -> str:
    """From the first day to the last one: "1 Aug to 20 Nov"."""
    last = end - dt.timedelta(days=1)
    return _("%(start)s to %(end)s") % {"start": day(start), "end": day(last)}
