"""The policy: a draft in the session with its dry-run, and saving it as the next version."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from django.contrib import messages
from django.core.exceptions import BadRequest
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect
from django.utils.functional import cached_property
from django.utils.translation import gettext as _
from django.utils.translation import ngettext, pgettext
from django_htmx.http import HttpResponseClientRedirect

from dashboards import policy_draft
from dashboards.matrix import NONE
from dashboards.policy_draft import Draft
from dashboards.policy_dry_run import panel_of
from dashboards.policy_fields import PACK_USES, tier_words
from dashboards.policy_form import draw, in_words, loose_problems, shape, tabs
from dashboards.policy_moves import ColourFilter, ColourTable, MoveFilter, MoveTable, moves_of
from dashboards.querysets import customer_rows
from health.models import Band
from tenants.models import PolicyVersion
from tenants.pages import ListPage, TenantView
from tenants.permissions import SEES_ALL
from tenants.policies import (
    InvalidPolicy,
    Policy,
    PolicyFault,
    StalePolicy,
    check_document,
    complete_document,
    policy_numbered,
    save_policy,
    versions,
)
from tenants.policy_words import PACK_LABELS, registered
from tenants.rules.sections import PACKS


class PolicyView(TenantView):
    """Reading is for everybody who works by the policy, a draft for who may save one."""

    permission = "policy:read"
    write_permission = "policy:write"
    nav = "policy"

    @cached_property
    def active(self) -> PolicyVersion:
        """The version in force, without its document."""
        return versions()[:1].get()

    def numbered(self, number: int) -> Policy:
        """A version; one that does not exist is a page that does not exist."""
        try:
            return policy_numbered(number)
        except PolicyVersion.DoesNotExist as error:
            raise Http404 from error

    def row(self, number: int) -> PolicyVersion:
        """A version's row, without its document: who saved it, when, and why."""
        found = versions().filter(number=number).first()
        if found is None:
            raise Http404
        return found


class DraftView(PolicyView):
    """Something about the member's draft. A form that comes is read into the draft before anything else."""

    permission = "policy:write"

    @cached_property
    def section(self) -> str:
        """The tab that was asked for; the first without a choice."""
        asked = self.request.POST.get("section") or self.request.GET.get("section") or next(iter(registered()))
        if asked not in registered():
            raise BadRequest(_("The policy has no section %(name)s.") % {"name": asked})
        return asked

    def taken(self) -> Draft:
        """The draft with what was posted: the fields of a section, then what a button asked for. It is kept."""
        draft, posted = policy_draft.draft_of(self.request), self.request.POST
        if "section" in posted:
            draft = policy_draft.take(draft, self.section, posted)
        if name := posted.get("back"):
            draft = policy_draft.put_back(draft, name)
        if name := posted.get("drop"):
            draft = policy_draft.take_away(draft, name)
        if values := posted.get("set"):
            draft = policy_draft.with_values(draft, _values(values))
        policy_draft.keep(self.request, draft)
        return draft

    def go(self, **parameters: str) -> HttpResponse:
        """On to the editor, at the tab where one was; out of a fragment the whole page follows."""
        query = self.request.GET.copy()
        query.clear()
        query.update({"section": self.section, **parameters})
        address = f"{self.address('policy')}?{query.urlencode()}"
        return HttpResponseClientRedirect(address) if self.request.htmx else redirect(address)

    def context(self, draft: Draft, section: str) -> dict[str, Any]:
        """All that the page and its fragments show of a draft."""
        faults = check_document(draft.document)
        newer = self.active if self.active.number != draft.based_on else None
        return {
            "draft": draft,
            "base": self.row(draft.based_on),
            "pack": PACK_LABELS.get(draft.pack, draft.pack),
            "newer": newer,
            "next_number": self.active.number + 1,
            "section": section,
            "tabs": tabs(draft, faults, section),
            "cards": draw(section, draft, faults, self.request.tenant.currency),
            "loose": loose_problems(section, draft, faults),
            "faults": faults,
            "may_save": draft.is_changed and not faults and newer is None,
        }

    def panel(self, draft: Draft, faults: list[PolicyFault]) -> dict[str, Any]:
        """The dry-run of a draft that fits; of one that does not, nothing."""
        return {"panel": None if faults else panel_of(draft)}


def _values(text: str) -> dict[str, Any]:
    try:
        values = json.loads(text)
    except ValueError:
        values = None
    if not isinstance(values, dict):
        raise BadRequest(_("That is no set of values of the policy."))
    return values


class Editor(DraftView):
    """The policy, section by section, with what the draft would change; who may not change it reads it."""

    permission = "policy:read"

    def get(self, request: HttpRequest, **kwargs: Any) -> HttpResponse:
        if not self.member.can("policy:write"):
            return self.read()
        draft = policy_draft.draft_of(self.request)
        context = self.context(draft, self.section)
        # With scripts the panel comes by itself once the page is there; without, on the button.
        run_now = "run" in request.GET
        return self.render(
            "dashboards/policy.html",
            **context,
            **(self.panel(draft, context["faults"]) if run_now else {}),
            is_run=run_now,
            packs=[(name, PACK_LABELS[name], PACK_USES[name]) for name in PACKS],
        )

    def post(self, request: HttpRequest, **kwargs: Any) -> HttpResponse:
        self.taken()
        to = request.POST.get("to", "")
        if to in registered():
            return self.go(section=to)
        return self.go(**({"run": "1"} if "run" in request.POST else {}))

    def read(self) -> HttpResponse:
        policy = self.numbered(self.active.number)
        return self.render(
            "dashboards/policy_read.html",
            row=self.active,
            pack=PACK_LABELS.get(policy.pack, policy.pack),
            columns=in_words(complete_document(policy)),
        )


class DryRun(DraftView):
    """What the draft would do: the panel alone, or after a change of a field with all that the change touches."""

    def get(self, request: HttpRequest, **kwargs: Any) -> HttpResponseBase:
        if not self.request.htmx:
            return self.go(run="1")
        draft = policy_draft.draft_of(self.request)
        context = self.context(draft, self.section)
        return self.render("dashboards/_policy_dry_run.html", **context, **self.panel(draft, context["faults"]))

    def post(self, request: HttpRequest, **kwargs: Any) -> HttpResponseBase:
        before = shape(self.section, policy_draft.draft_of(self.request))
        draft = self.taken()
        if not self.request.htmx:
            return self.go(run="1")
        context = self.context(draft, self.section)
        # Where a button changed a field, or the fields themselves are others, the form is drawn anew; else what
        # somebody is typing on in it stays untouched.
        acted = any(name in request.POST for name in ("back", "drop", "set"))
        return self.render(
            "dashboards/_policy_answer.html",
            **context,
            **self.panel(draft, context["faults"]),
            redraw=acted or shape(self.section, draft) != before,
        )


class MoveList(ListPage):
    """The customers behind a cell, a row or a column of the dry run; without a choice all who change tier."""

    permission = "policy:write"
    nav = "policy"
    queryset = staticmethod(customer_rows)
    filterset = MoveFilter
    table = MoveTable
    template = "dashboards/policy_moves.html"
    empty = "dashboards/policy_moves_empty.html"
    sort = "-money_12m"
    export_permission = "customers:export"
    export_name = "policy-moves"

    def get(self, request: HttpRequest, **kwargs: Any) -> HttpResponseBase:
        try:
            moves_of(self.request)
        except InvalidPolicy as refusal:
            messages.error(request, str(refusal))
            return self.done("policy")
        return super().get(request, **kwargs)

    def counted(self, count: int, shown: str) -> str:
        return ngettext("%(count)s customer", "%(count)s customers", count) % {"count": shown}

    def context(self, rows: Sequence[Any]) -> dict[str, Any]:
        asked = self.request.GET
        named = [(asked.get("before", ""), _("from %(tier)s")), (asked.get("after", ""), _("to %(tier)s"))]
        return {
            "run": moves_of(self.request).run,
            "draft": policy_draft.draft_of(self.request),
            "title": self.title(),
            "which": [words % {"tier": self.words(code)} for code, words in named if code],
            "sees_all": self.member.role in SEES_ALL,
        }

    def title(self) -> str:
        """What the list is about."""
        return _("Who moves")

    def words(self, code: str) -> str:
        """What people call the head of a row or column."""
        return tier_words(code) if code != NONE else pgettext("tier", "No tier")


class ColourList(MoveList):
    """The same of the dry run's colours; without a choice all who change colour."""

    filterset = ColourFilter
    table = ColourTable
    empty = "dashboards/policy_colours_empty.html"
    export_name = "policy-colours"

    def title(self) -> str:
        return _("Who changes colour")

    def words(self, code: str) -> str:
        return str(dict(Band.choices).get(code, code))


class Save(DraftView):
    """Put the draft into force as the next version, with the reason."""

    def post(self, request: HttpRequest, **kwargs: Any) -> HttpResponseBase:
        draft = self.taken()
        if not draft.is_changed:
            words = _("The draft changes nothing: v%(number)s stays.")
            messages.info(request, words % {"number": self.active.number})
            return self.done("policy")
        try:
            version = save_policy(draft.document, pack=draft.pack, note=draft.note, based_on=draft.based_on)
        except InvalidPolicy as refusal:
            return self.refused(draft, list(refusal.faults))
        except StalePolicy:
            return self.refused(draft, [])
        policy_draft.discard(self.request)
        words = _("Saved as v%(number)s. Tiers, scores and follow-ups change in the next night, at 02:00.")
        messages.success(request, words % {"number": version.number})
        return self.done("policy")

    def refused(self, draft: Draft, faults: list[PolicyFault]) -> HttpResponse:
        """The editor again, with what was typed and what is wrong with it."""
        context = self.context(draft, self.section)
        return self.render(
            "dashboards/policy.html",
            **context,
            note_problems=[fault.problem for fault in faults if fault.path == ("note",)],
            packs=[(name, PACK_LABELS[name], PACK_USES[name]) for name in PACKS],
        )


class Discard(DraftView):
    """Throw the draft away; the version in force stays."""

    def post(self, request: HttpRequest, **kwargs: Any) -> HttpResponseBase:
        policy_draft.discard(self.request)
        messages.success(request, _("The draft is discarded; nothing has changed."))
        return self.go()


class SwitchPack(DraftView):
    """Bring all that belongs to a pack into the draft: scheme, cadence, top tiers."""

    def post(self, request: HttpRequest, **kwargs: Any) -> HttpResponseBase:
        pack = request.POST.get("pack", "")
        if pack not in PACKS:
            raise BadRequest(_("There is no pack %(name)s.") % {"name": pack})
        policy_draft.keep(self.request, policy_draft.with_pack(policy_draft.draft_of(self.request), pack))
        return self.go()


class Rebase(DraftView):
    """Take the draft's changes onto the version that somebody else has saved meanwhile."""

    def post(self, request: HttpRequest, **kwargs: Any) -> HttpResponseBase:
        draft, both = policy_draft.onto_newest(self.taken())
        policy_draft.keep(self.request, draft)
        words = _("Your changes now stand on v%(number)s.") % {"number": draft.based_on}
        if both:
            names = _(", ").join(change.label for change in both)
            words += " " + _("v%(number)s had changed this, too, and yours counts now: %(names)s.") % {
                "number": draft.based_on,
                "names": names,
            }
        messages.warning(request, words) if both else messages.success(request, words)
        return self.go()


class Restore(DraftView):
    """Bring an older version into the draft: what it would do is seen before it is saved."""

    def post(self, request: HttpRequest, number: int, **kwargs: Any) -> HttpResponseBase:
        old = self.numbered(number)
        begun = policy_draft.begin(self.numbered(self.active.number))
        note = _("Back to v%(number)s") % {"number": number}
        had_changes = policy_draft.draft_of(self.request).is_changed
        policy_draft.keep(self.request, Draft(begun.based_on, old.pack, complete_document(old), note))
        words = _("v%(number)s is in the draft. Look at what it would do, then save it.")
        if had_changes:
            words = _("v%(number)s is in the draft, in place of your changes. Look at what it would do, then save it.")
        messages.info(request, words % {"number": number})
        return self.go()
