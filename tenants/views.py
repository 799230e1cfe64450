"""The front door (first page, language, health of the process) and the administrator's pages."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib import messages
from django.core.cache import cache
from django.db import DatabaseError, connection
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.functional import cached_property
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_POST
from redis.exceptions import RedisError

from tenants.forms import MemberForm, TokenForm
from tenants.models import ApiToken, Member, Run, RunStep, User
from tenants.pages import FormPage, TenantView
from tenants.querysets import memberships_of
from tenants.services import create_token, invite_member, revoke_token, update_member

# ── the front door ───────────────────────────────────────────────────────────


@require_GET
@never_cache
def start(request: HttpRequest) -> HttpResponse:
    """Go to the firm of last time, or to the only one; several are offered, none is said in words."""
    if not isinstance(request.user, User):
        return redirect(settings.LOGIN_URL)
    memberships = memberships_of(request.user)
    last = request.session.get("tenant")
    slugs = [member.tenant.slug for member in memberships]
    if last in slugs or len(slugs) == 1:
        return redirect("today", tenant=last if last in slugs else slugs[0])
    return render(request, "tenants/start.html", {"memberships": memberships})


@require_POST
def language(request: HttpRequest) -> HttpResponse:
    """Change the language, for a member for good, before sign-in by a cookie; back to where one was."""
    wanted = request.POST.get("language", "")
    if wanted not in dict(settings.LANGUAGES):
        raise Http404
    if isinstance(request.user, User):
        User.objects.filter(pk=request.user.pk).update(language=wanted)
    target = request.POST.get("next", "")
    if not url_has_allowed_host_and_scheme(target, {request.get_host()}, require_https=request.is_secure()):
        target = "/"
    response = redirect(target)
    response.set_cookie(
        settings.LANGUAGE_COOKIE_NAME,
        wanted,
        max_age=365 * 24 * 3600,
        samesite="Lax",
        secure=settings.SESSION_COOKIE_SECURE,
        httponly=True,
    )
    return response


@require_GET
@never_cache
def healthz(request: HttpRequest) -> HttpResponse:
    """Whether the process is alive; asks nobody else."""
    return HttpResponse("ok\n", content_type="text/plain")


@require_GET
@never_cache
def readyz(request: HttpRequest) -> JsonResponse:
    """Whether this process can serve: database and Redis answer. 503 names which does not."""
    parts = {"database": _database_answers(), "redis": _redis_answers()}
    return JsonResponse(parts, status=200 if all(parts.values()) else 503)


def _database_answers() -> bool:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseError:
        return False
    return True


def _redis_answers() -> bool:
    try:
        cache.get("readyz")
    except RedisError:
        return False
    return True


# ── the administrator's pages ────────────────────────────────────────────────


# Jobs, steps and counts in words; what is not here is shown by its name.
_JOBS = {"nightly": gettext_lazy("Night"), "figures": gettext_lazy("Figures of the night")}
_STEPS = {
    "segmentation": gettext_lazy("Segments and tiers"),
    "value": gettext_lazy("Customer value"),
    "cross-sell": gettext_lazy("Cross-sell"),
    "health": gettext_lazy("Health"),
    "forecast": gettext_lazy("Lapse forecast"),
    "follow-ups": gettext_lazy("Follow-ups"),
    "journeys": gettext_lazy("Journeys"),
    "risk": gettext_lazy("Risk"),
    "surveys": gettext_lazy("Surveys and quality review"),
    "rewards": gettext_lazy("Rewards"),
    "saved-segments": gettext_lazy("Saved segments"),
    "segment-figures": gettext_lazy("Figures of segments and sales"),
    "health-figures": gettext_lazy("Figures of health"),
    "risk-figures": gettext_lazy("Figures of risk"),
    "desk-figures": gettext_lazy("Figures of teams"),
}
_COUNTS = {
    "customers": gettext_lazy("customers"),
    "scored": gettext_lazy("scored"),
    "changed": gettext_lazy("changed"),
    "moved": gettext_lazy("changed tier"),
    "fitted": gettext_lazy("lifetime models fitted"),
    "rules": gettext_lazy("cross-sell rules changed"),
    "drifting": gettext_lazy("shrinking orders changed"),
    "history": gettext_lazy("history rows"),
    "forecast": gettext_lazy("with a forecast"),
    "warned": gettext_lazy("lapse warnings"),
    "models": gettext_lazy("forecast models fitted"),
    "raised": gettext_lazy("raised"),
    "entered": gettext_lazy("entered a journey"),
    "walked": gettext_lazy("journeys looked at"),
    "care_raised": gettext_lazy("raised by the care calendar"),
    "care_sent": gettext_lazy("greetings put into the outbox"),
    "ranked": gettext_lazy("ranked anew"),
    "cancelled": gettext_lazy("withdrawn"),
    "alerts": gettext_lazy("alerts opened"),
    "closed": gettext_lazy("alerts closed"),
    "asked": gettext_lazy("surveys asked"),
    "asked_again": gettext_lazy("surveys asked again"),
    "reminded": gettext_lazy("survey reminders"),
    "drawn": gettext_lazy("contacts drawn for review"),
    "posted": gettext_lazy("entries posted in the ledger"),
    "rewards": gettext_lazy("rewards looked at"),
    "segments": gettext_lazy("saved segments"),
    "joined": gettext_lazy("joined"),
    "left": gettext_lazy("left"),
    "problems": gettext_lazy("saved segments whose filters no longer work"),
}


class RunList(TenantView):
    """What the jobs did: each run with its steps, times, counts and errors, newest first."""

    permission = "runs:read"
    nav = "runs"
    SIZE = 30

    def get(self, request: HttpRequest, **kwargs: Any) -> HttpResponse:
        rows = list(Run.objects.order_by("-for_date", "-id").prefetch_related("steps")[: self.SIZE + 1])
        runs = [
            (run, _JOBS.get(run.job, run.job), [self._step(step) for step in run.steps.all()])
            for run in rows[: self.SIZE]
        ]
        return self.render("tenants/runs.html", runs=runs, size=self.SIZE, has_more=len(rows) > self.SIZE)

    def _step(self, step: RunStep) -> dict[str, Any]:
        known = [name for name in _COUNTS if name in step.counts]
        others = sorted(set(step.counts) - set(known))
        counts = [(_COUNTS.get(name, name), step.counts[name]) for name in [*known, *others]]
        return {"row": step, "name": _STEPS.get(step.name, step.name), "counts": counts}


class MemberList(TenantView):
    """Who is in this firm, with role and team."""

    permission = "members:read"
    nav = "members"

    def get(self, request: HttpRequest, **kwargs: Any) -> HttpResponse:
        members = Member.objects.select_related("user", "team").order_by("-is_active", "user__name", "pk")
        return self.render("tenants/members.html", members=members)


class MemberAdd(FormPage):
    """Let a person in: known by address or new."""

    permission = "members:write"
    nav = "members"
    heading = gettext_lazy("Add a member")
    submit = gettext_lazy("Add")

    def form(self, data: Any = None, files: Any = None) -> MemberForm:
        return MemberForm(data)

    def save(self, form: MemberForm) -> HttpResponse:
        member = invite_member(**form.values())
        words = _("%(name)s is a member now. New people set a password with “Forgot the password?” at sign-in.")
        messages.success(self.request, words % {"name": member})
        return self.done("members")

    def back(self) -> str:
        return self.address("members")


class MemberEdit(FormPage):
    """Change a member's role or team, or end the membership."""

    permission = "members:write"
    nav = "members"

    @cached_property
    def subject(self) -> Member:
        return get_object_or_404(Member.objects.select_related("user", "team"), pk=self.kwargs["pk"])

    def title(self) -> str:
        return str(self.subject)

    def form(self, data: Any = None, files: Any = None) -> MemberForm:
        return MemberForm(data, member=self.subject)

    def save(self, form: MemberForm) -> HttpResponse:
        update_member(member=self.subject, **form.values())
        messages.success(self.request, _("%(name)s is saved.") % {"name": self.subject})
        return self.done("members")

    def back(self) -> str:
        return self.address("members")


class TokenList(TenantView):
    """The tokens that let programmes in, of all members."""

    permission = "tokens:write"
    nav = "tokens"

    def get(self, request: HttpRequest, **kwargs: Any) -> HttpResponse:
        tokens = ApiToken.objects.select_related("member__user").order_by("-pk")
        return self.render("tenants/tokens.html", tokens=tokens, now=timezone.now())


class TokenAdd(FormPage):
    """Make a token; its text is shown on the answer to this request and never again."""

    permission = "tokens:write"
    nav = "tokens"
    heading = gettext_lazy("Make a token")
    submit = gettext_lazy("Make")

    def form(self, data: Any = None, files: Any = None) -> TokenForm:
        return TokenForm(data)

    def save(self, form: TokenForm) -> HttpResponse:
        token, text = create_token(**form.cleaned_data)
        response = self.render("tenants/token_made.html", token=token, text=text)
        response["Cache-Control"] = "no-store"
        return response

    def back(self) -> str:
        return self.address("tokens")


class TokenRevoke(TenantView):
    """End a token now."""

    permission = "tokens:write"
    nav = "tokens"

    def post(self, request: HttpRequest, pk: int, **kwargs: Any) -> HttpResponseBase:
        token = get_object_or_404(ApiToken, pk=pk, revoked_at__isnull=True)
        revoke_token(token=token)
        messages.success(request, _("The token %(name)s no longer opens anything.") % {"name": token})
        return self.done("tokens")
