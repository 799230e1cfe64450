"""Pages of the ledger: rewards, approval, disputes, pay-outs, statements, service upgrades."""

from __future__ import annotations

import datetime as dt
from functools import cached_property
from typing import Any, ClassVar

from django.contrib import messages
from django.core.exceptions import BadRequest, PermissionDenied, ValidationError
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404
from django.template.loader import render_to_string
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from customers.models import Customer
from incentives.ledger import services as ledger
from incentives.ledger.approving import asked_of, correctors, refusal_for
from incentives.ledger.forms import RedeemForm, ResolveForm, SayForm, StretchForm, UpgradeForm
from incentives.ledger.lists import (
    PayoutFilter,
    PayoutTable,
    RewardFilter,
    RewardTable,
    UpgradeFilter,
    UpgradeTable,
    payout_rows,
    reward_rows,
    upgrade_rows,
    whose,
)
from incentives.ledger.words import REFUSALS, amount_words, entry_words, explain
from incentives.models import Dispute, Payout, Reward, Upgrade
from incentives.referrals.forms import WhyForm
from incentives.rules.approval import refusal_of
from incentives.rules.rewards_policy import RewardPolicy
from tenants.export import write_csv
from tenants.models import Member
from tenants.pages import FormPage, ListPage, TenantView
from tenants.pdf import NoPdfError, as_pdf
from tenants.permissions import SEES_ALL, Role
from tenants.policies import active_policy

AT_ONCE = 200
"""Rewards on the page of approval; the others follow when these are done."""


class RewardList(ListPage):
    """What was earned, by what, and where it stands."""

    permission = "rewards:read"
    nav = "rewards"
    queryset = staticmethod(reward_rows)
    filterset = RewardFilter
    table = RewardTable
    template = "incentives/rewards.html"
    empty = "incentives/rewards_empty.html"
    sort = "-earned_on"
    export_permission = "rewards:read"
    export_name = "rewards"

    def counted(self, count: int, shown: str) -> str:
        return ngettext("%(count)s reward", "%(count)s rewards", count) % {"count": shown}

    def context(self, rows: Any) -> dict[str, Any]:
        return {"section": "rewards"}


class _OfReward(TenantView):
    permission = "rewards:read"
    nav = "rewards"

    @cached_property
    def reward(self) -> Reward:
        found: Reward = get_object_or_404(
            reward_rows(self.member).select_related("referral", "upgrade"), pk=self.kwargs["pk"]
        )
        return found

    def page(self, *, status: int = 200, **forms: Any) -> HttpResponse:
        """The page of a reward; `forms` are those that were refused, with what was typed."""
        row = self.reward
        dispute = row.disputes.filter(status=Dispute.Status.OPEN).select_related("opened_by__user").first()
        refusal = refusal_for(row, self.member)
        lines = row.lines.select_related("entry__member__user", "account").order_by("entry_id", "pk")
        may_write = self.member.can("rewards:write")
        may_decide = self.member.can("rewards:approve") and dispute is not None
        if may_decide and dispute is not None:
            may_decide = self.member.pk not in {row.member_id, dispute.opened_by_id}
        context: dict[str, Any] = {
            "section": "rewards", "reward": row, "words": explain(row), "whose": whose(row), "dispute": dispute,
            "amount": amount_words(row.amount, is_points=row.is_points),
            "may_approve": self.member.can("rewards:approve") and refusal is None,
            "why_not": REFUSALS[refusal] if refusal and refusal != "nothing" else "",
            "lines": [(line, entry_words(line.entry, row)) for line in lines],
            "disputes": row.disputes.prefetch_related("messages__member__user").select_related("opened_by__user"),
            "say": SayForm() if may_write else None,
            "resolve": ResolveForm(prefix="end") if may_decide else None,
            "may_withdraw": dispute is not None and dispute.opened_by_id == self.member.pk,
        }  # fmt: skip
        return self.render("incentives/reward.html", status=status, **(context | forms))

    def again(self, words: str) -> HttpResponse:
        messages.success(self.request, words)
        return self.done("reward", pk=self.reward.pk)


class RewardPage(_OfReward):
    """A reward: why, where it stands, every posting, its disputes."""

    def get(self, request: HttpRequest, **kwargs: Any) -> HttpResponse:
        self.refuse_unknown()
        return self.page()


class RewardApprove(_OfReward):
    """Approve one reward."""

    permission = "rewards:approve"

    def get(self, request: HttpRequest, **kwargs: Any) -> HttpResponse:
        return self.page()

    def post(self, request: HttpRequest, **kwargs: Any) -> HttpResponse:
        done = ledger.approve(rewards=[self.reward.pk], member=self.member)
        for _reward, why in done.refused:
            messages.error(request, str(REFUSALS[why]))
        if done.rewards:
            messages.success(request, _("The reward is approved."))
        return self.done("reward", pk=self.reward.pk)


class RewardDispute(_OfReward):
    """Say that a reward is wrong, or go on with what is said about it."""

    permission = "rewards:write"

    def get(self, request: HttpRequest, **kwargs: Any) -> HttpResponse:
        return self.page()

    def post(self, request: HttpRequest, **kwargs: Any) -> HttpResponse:
        form = SayForm(request.POST)
        if not form.is_valid():
            return self.page(status=422, say=form)
        ledger.open_dispute(reward=self.reward, member=self.member, **form.cleaned_data)
        return self.again(_("What you say is written down; nothing is paid of it until it is settled."))


class RewardSettle(_OfReward):
    """End a dispute: with a corrected amount, or as it stands; who opened it may take it back."""

    permission = "rewards:write"

    def get(self, request: HttpRequest, **kwargs: Any) -> HttpResponse:
        return self.page()

    def post(self, request: HttpRequest, **kwargs: Any) -> HttpResponse:
        dispute = self.reward.disputes.filter(status=Dispute.Status.OPEN).first()
        if dispute is None:
            return self.again(_("There is no dispute that is open."))
        form = ResolveForm(request.POST, prefix="end")
        try:
            if request.POST.get("withdraw"):
                ledger.withdraw(dispute=dispute, member=self.member)
                return self.again(_("The dispute is taken back."))
            if not self.member.can("rewards:approve"):
                raise PermissionDenied(_("Whoever approves rewards decides about disputes."))
            if form.is_valid():
                ledger.resolve(dispute=dispute, member=self.member, **form.cleaned_data)
                return self.again(_("The dispute is settled."))
        except ValidationError as refusal:
            form.add_error(None, refusal.messages)
        return self.page(status=422, resolve=form)


class Approval(TenantView):
    """All rewards that wait and that the member may approve; ticked ones are approved at once."""

    permission = "rewards:approve"
    nav = "rewards"

    def get(self, request: HttpRequest, **kwargs: Any) -> HttpResponse:
        self.refuse_unknown()
        rows = list(
            reward_rows(self.member).filter(pending__gt=0).select_related("referral", "upgrade")
            .order_by("earned_on", "pk")[: AT_ONCE + 1]
        )  # fmt: skip
        limit = active_policy().section(RewardPolicy).lead_limit_money
        corrected = correctors(rows)
        asked = [
            (
                row,
                refusal_of(
                    asked_of(row, corrected.get(row.pk, frozenset())), member=self.member.pk,
                    is_lead=self.member.role == Role.TEAM_LEAD, lead_limit=limit,
                ),
            )
            for row in rows[:AT_ONCE]
        ]  # fmt: skip
        return self.render(
            "incentives/rewards_approve.html", section="approve", more=len(rows) > AT_ONCE,
            rows=[
                (row, whose(row), explain(row), amount_words(row.pending, is_points=row.is_points),
                 "" if why is None else REFUSALS[why])
                for row, why in asked
            ],
        )  # fmt: skip

    def post(self, request: HttpRequest, **kwargs: Any) -> HttpResponse:
        ids = [int(each) for each in request.POST.getlist("reward") if each.isascii() and each.isdecimal()][:AT_ONCE]
        done = ledger.approve(rewards=ids, member=self.member)
        number = len(done.rewards)
        words = ngettext("%(number)s reward is approved.", "%(number)s rewards are approved.", number)
        messages.success(request, words % {"number": number})
        for why in dict.fromkeys(why for _reward, why in done.refused):
            messages.error(request, str(REFUSALS[why]))
        return self.done("rewards-approve")


# ── pay-outs ────────────────────────────────────────────────────────────────


class PayoutList(ListPage):
    """Pay-outs, and what would go out now."""

    permission = "rewards:pay"
    nav = "rewards"
    queryset = staticmethod(payout_rows)
    filterset = PayoutFilter
    table = PayoutTable
    template = "incentives/payouts.html"
    empty = "incentives/payouts_empty.html"
    sort = "-number"
    export_permission = "rewards:pay"
    export_name = "payouts"

    def counted(self, count: int, shown: str) -> str:
        return ngettext("%(count)s pay-out", "%(count)s pay-outs", count) % {"count": shown}

    def context(self, rows: Any) -> dict[str, Any]:
        sums = ledger.payable_sums()
        people = Member.objects.select_related("user").in_bulk([pk for pk in sums if pk is not None])
        due = [
            (None if pk is None else people[pk], total) for pk, total in sorted(sums.items(), key=lambda item: -item[1])
        ]
        return {"section": "payouts", "due": due, "due_total": sum(total for _who, total in due if total > 0)}

    def post(self, request: HttpRequest, **kwargs: Any) -> HttpResponse:
        payout = ledger.pay_out(member=self.member)
        if payout is None:
            messages.error(request, _("Nobody is owed anything that is approved."))
            return self.done("payouts")
        messages.success(request, _("Pay-out %(number)s is made; hand its file to whoever pays.") % {"number": payout})
        return self.done("payout", pk=payout.pk)


class PayoutPage(TenantView):
    """A pay-out: who gets how much; as a file for whoever pays."""

    permission = "rewards:pay"
    nav = "rewards"

    def get(self, request: HttpRequest, **kwargs: Any) -> HttpResponseBase:
        self.refuse_unknown("export")
        payout = get_object_or_404(Payout.objects.select_related("made_by__user"), pk=self.kwargs["pk"])
        items = list(payout.items.select_related("member__user").order_by("-amount", "pk"))
        if "export" not in request.GET:
            return self.render("incentives/payout.html", section="payouts", payout=payout, items=items)
        if request.GET["export"] != "csv":
            raise BadRequest(_("The one form of export is csv."))
        columns = [_("Pay-out"), _("Day"), _("For"), _("E-mail address"), _("Amount"), _("Currency")]
        currency = self.request.tenant.currency
        lines = [
            [
                str(payout), payout.on, str(item.member or _("Product team")),
                item.member.user.email if item.member else "", item.amount, currency,
            ]
            for item in items
        ]  # fmt: skip
        return self.csv_file(f"payout-{payout.number}", list(write_csv(columns, lines)), payout.on)


# ── statements ──────────────────────────────────────────────────────────────


class _Statement(TenantView):
    """A statement as a page, as CSV (`?export=csv`) or PDF (`?export=pdf`)."""

    permission = "rewards:read"
    nav = "rewards"
    section = "statement"

    def who(self) -> Member | Customer | None:
        raise NotImplementedError

    def extra(self) -> dict[str, Any]:
        """What else the page shows."""
        return {}

    def get(self, request: HttpRequest, **kwargs: Any) -> HttpResponseBase:
        return self.show()

    def show(self, *, status: int = 200, **forms: Any) -> HttpResponseBase:
        """The statement in the form that is asked for; `forms` are those that were refused."""
        asked = self.parameters(StretchForm)
        who = self.who()
        found = ledger.statement(who, ledger.Days(asked["since"], asked["until"] + dt.timedelta(days=1)))
        context = {
            "section": self.section, "statement": found, "about": _("Product team") if who is None else str(who),
            "since": asked["since"], "until": asked["until"],
        } | self.extra() | forms  # fmt: skip
        if asked["export"] == "csv":
            return self._csv(found)
        if asked["export"] == "pdf":
            return self._pdf(context)
        return self.render("incentives/statement.html", status=status, **context)

    def _csv(self, found: ledger.Statement) -> HttpResponseBase:
        columns = [_("Day"), _("What happened"), _("Waiting for approval"), _("Owed"), _("Balance owed")]
        lines: list[list[Any]] = [[found.start, _("Brought forward"), found.pending_before, None, found.owed_before]]
        lines += [[line.on, line.words, line.pending, line.owed, line.balance] for line in found.lines]
        lines.append([found.last, _("Carried forward"), found.pending, None, found.owed])
        return self.csv_file("statement", list(write_csv(columns, lines)), found.last)

    def _pdf(self, context: dict[str, Any]) -> HttpResponse:
        try:
            content = as_pdf(render_to_string("incentives/statement_print.html", context, self.request))
        except NoPdfError:
            return self.render("incentives/statement.html", **context, no_pdf=True, status=503)
        response = HttpResponse(content, content_type="application/pdf")
        name = f"statement-{self.request.tenant.slug}-{context['until']}.pdf"
        response["Content-Disposition"] = f'attachment; filename="{name}"'
        return response


class MyStatement(_Statement):
    """One's own."""

    def who(self) -> Member:
        return self.member


class MemberStatement(_Statement):
    """Somebody's of the team, or of the firm."""

    def who(self) -> Member:
        found: Member = get_object_or_404(Member.objects.select_related("user"), pk=self.kwargs["pk"])
        team = self.member.team_members if self.member.role == Role.TEAM_LEAD else []
        if self.member.role not in SEES_ALL and found.pk not in {self.member.pk, *team}:
            raise PermissionDenied(_("A statement is for the person, their lead, and those who see all."))
        return found


class ProductStatement(_Statement):
    """The product team's; for those who see all customers."""

    def who(self) -> None:
        if self.member.role not in SEES_ALL:
            raise PermissionDenied(_("The product team’s statement is for those who see all customers."))


class CustomerPoints(_Statement):
    """A customer's points, with what it redeemed; redeeming is a form on it."""

    write_permission = "rewards:write"
    nav = "customers"
    section = "points"

    def who(self) -> Customer:
        return self.customer

    @cached_property
    def customer(self) -> Customer:
        found: Customer = get_object_or_404(Customer.objects.visible_to(self.member), pk=self.kwargs["pk"])
        return found

    def extra(self) -> dict[str, Any]:
        may = self.member.can("rewards:write")
        return {
            "customer": self.customer, "points": ledger.points_of(self.customer), "redeem": RedeemForm() if may else None
        }  # fmt: skip

    def post(self, request: HttpRequest, **kwargs: Any) -> HttpResponseBase:
        form = RedeemForm(request.POST)
        if form.is_valid():
            try:
                ledger.redeem(customer=self.customer, member=self.member, **form.cleaned_data)
            except ValidationError as refusal:
                for name, errors in refusal.error_dict.items():
                    form.add_error(name, errors)
            else:
                messages.success(request, _("The points are redeemed."))
                return self.done("customer-points", pk=self.customer.pk)
        return self.show(status=422, redeem=form)


# ── upgrades ────────────────────────────────────────────────────────────────


class UpgradeList(ListPage):
    """Service upgrades."""

    permission = "upgrades:read"
    nav = "rewards"
    queryset = staticmethod(upgrade_rows)
    filterset = UpgradeFilter
    table = UpgradeTable
    template = "incentives/upgrades.html"
    empty = "incentives/upgrades_empty.html"
    sort = "-on"
    export_permission = "customers:export"
    export_name = "upgrades"

    def counted(self, count: int, shown: str) -> str:
        return ngettext("%(count)s upgrade", "%(count)s upgrades", count) % {"count": shown}

    def context(self, rows: Any) -> dict[str, Any]:
        return {"section": "upgrades"}


class UpgradeAdd(FormPage):
    """Record a service upgrade."""

    permission = "upgrades:write"
    nav = "rewards"
    heading: ClassVar[str | Promise] = gettext_lazy("Record a service upgrade")
    submit = gettext_lazy("Record")

    def form(self, data: Any = None, files: Any = None) -> UpgradeForm:
        return UpgradeForm(data, member=self.member)

    def save(self, form: UpgradeForm) -> HttpResponse:
        ledger.record_upgrade(member=self.member, **form.cleaned_data)
        messages.success(self.request, _("The upgrade is recorded; each month after it is reckoned when it is over."))
        return self.done("upgrades")

    def back(self) -> str:
        return self.address("upgrades")


class UpgradeWithdraw(FormPage):
    """Take an upgrade back that was wrong."""

    permission = "upgrades:write"
    nav = "rewards"
    submit = gettext_lazy("Withdraw")

    @cached_property
    def upgrade(self) -> Upgrade:
        found: Upgrade = get_object_or_404(upgrade_rows(self.member), pk=self.kwargs["pk"])
        return found

    def title(self) -> str:
        return _("Withdraw “%(what)s” of %(customer)s") % {"what": self.upgrade.what, "customer": self.upgrade.customer}

    def form(self, data: Any = None, files: Any = None) -> WhyForm:
        return WhyForm(data)

    def save(self, form: WhyForm) -> HttpResponse:
        ledger.withdraw_upgrade(upgrade=self.upgrade, **form.cleaned_data)
        messages.success(self.request, _("The upgrade is withdrawn; what was earned by it is reversed tonight."))
        return self.done("upgrades")

    def back(self) -> str:
        return self.address("upgrades")
