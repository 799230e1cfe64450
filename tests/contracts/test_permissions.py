"""Who may open what: every page and every endpoint, as every role, as a stranger and as nobody.

A URL without a row here fails. Rows say who may; everybody else is refused (403), a stranger sees nothing
(404), nobody is sent to sign in.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver, reverse

from followups.models import Notice
from incentives.models import Certification, PromotionNote, Report, Training, TrainingCustomer
from tenants.context import tenant_scope
from tenants.models import PolicyVersion
from tests.contracts.rows import DAY, ROWS, report_facts

AM, LEAD, EXEC, ADMIN, INT = "account_manager", "team_lead", "executive", "admin", "integration"
ALL = frozenset({AM, LEAD, EXEC, ADMIN, INT})
WRITERS = frozenset({AM, LEAD, ADMIN})
APPROVERS = frozenset({LEAD, EXEC, ADMIN})


@dataclass(frozen=True)
class Rule:
    """Who may; by which method; which row's id the path takes (`kwarg` and model), and what else."""

    may: frozenset[str]
    method: str = "get"
    kwarg: str = ""
    model: str = ""
    also: Mapping[str, str] = field(default_factory=dict)


PAGES: dict[str, Rule] = {
    "today": Rule(ALL),
    "today-fresh": Rule(ALL),
    "today-one": Rule(ALL, kwarg="pk", model="followups.FollowUp"),
    "today-log": Rule(WRITERS | {INT}, "post", "pk", "followups.FollowUp"),
    "today-done": Rule(WRITERS | {INT}, "post"),
    "today-snooze": Rule(WRITERS | {INT}, "post"),
    # An account manager passes on to the customer's other owner only; tests/pages/test_today.py looks.
    "today-assign": Rule(WRITERS | {INT}, "post"),
    "today-undo": Rule(WRITERS | {INT}, "post"),
    "today-script": Rule(WRITERS | {INT}, "post"),
    "today-since": Rule(ALL),
    "today-since-rows": Rule(ALL, also={"kind": "orders"}),
    "today-close": Rule(ALL),
    "today-all": Rule(WRITERS | {INT}),
    "bulks": Rule(ALL),
    # The row is somebody else's: only who may assign sees it; tests/pages/test_today_bulk.py looks at one's own.
    "bulk": Rule(frozenset({LEAD, ADMIN}), "get", "pk", "followups.Bulk"),
    "bulk-undo": Rule(frozenset({LEAD, ADMIN}), "post", "pk", "followups.Bulk"),
    "calendar": Rule(ALL),
    "calendar-move": Rule(WRITERS | {INT}, "get", "pk", "followups.FollowUp"),
    "calendar-undo": Rule(WRITERS | {INT}, "post"),
    "calendar-feed": Rule(ALL),
    "script-for": Rule(ALL, kwarg="pk", model="followups.FollowUp"),
    "scripts": Rule(ALL),
    "script": Rule(ALL, "get", "pk", "followups.Script"),
    "script-add": Rule(frozenset({LEAD, ADMIN})),
    "script-edit": Rule(frozenset({LEAD, ADMIN}), "get", "pk", "followups.Script"),
    "wording-add": Rule(frozenset({LEAD, ADMIN}), "get", "pk", "followups.Script"),
    "wording-edit": Rule(frozenset({LEAD, ADMIN}), "get", "pk", "followups.ScriptVariant"),
    "wording-retire": Rule(frozenset({LEAD, ADMIN}), "post", "pk", "followups.ScriptVariant"),
    "journeys": Rule(ALL),
    "journey": Rule(ALL, "get", "pk", "followups.Journey"),
    "journey-add": Rule(frozenset({LEAD, ADMIN})),
    "journey-edit": Rule(frozenset({LEAD, ADMIN}), "get", "pk", "followups.Journey"),
    "journey-switch": Rule(frozenset({LEAD, ADMIN}), "post", "pk", "followups.Journey"),
    "journey-announce": Rule(frozenset({LEAD, ADMIN})),
    "journey-duties": Rule(frozenset({LEAD, ADMIN})),
    "enrolments": Rule(ALL),
    "enrolment-out": Rule(WRITERS | {INT}, "post", "pk", "followups.Enrolment"),
    "messages": Rule(ALL),
    "message": Rule(ALL, "get", "pk", "followups.Message"),
    "message-do": Rule(WRITERS | {INT}, "post", "pk", "followups.Message", also={"verb": "cancel"}),
    "message-write": Rule(WRITERS | {INT}, "get", "customer", "customers.Customer"),
    "contact-reach": Rule(ALL, "get", "pk", "customers.Contact"),
    "wishes": Rule(WRITERS | {INT}, "get", "pk", "customers.Contact"),
    "opt-out-add": Rule(WRITERS | {INT}, "get", "pk", "customers.Contact"),
    "opt-out-end": Rule(WRITERS | {INT}, "post", "pk", "customers.Contact"),
    "address-revive": Rule(WRITERS | {INT}, "post", "pk", "customers.Contact"),
    "channels": Rule(frozenset({ADMIN})),
    "channel": Rule(frozenset({ADMIN}), also={"channel": "sms"}),
    "channel-trial": Rule(frozenset({ADMIN}), also={"channel": "sms"}),
    "team": Rule(frozenset({LEAD, EXEC, ADMIN})),
    "team-work": Rule(frozenset({LEAD, EXEC, ADMIN})),
    "team-clocks": Rule(frozenset({LEAD, EXEC, ADMIN})),
    "team-cases": Rule(frozenset({LEAD, EXEC, ADMIN})),
    "team-customers": Rule(frozenset({LEAD, EXEC, ADMIN})),
    "team-hand-on": Rule(frozenset({LEAD, ADMIN}), "post"),
    "team-undo": Rule(frozenset({LEAD, ADMIN}), "post"),
    "team-assign": Rule(frozenset({LEAD, ADMIN}), "get", "pk", "customers.Customer"),
    "view-as": Rule(frozenset({LEAD, EXEC, ADMIN}), "post"),
    "view-as-stop": Rule(frozenset({LEAD, EXEC, ADMIN}), "post"),
    "executive": Rule(frozenset({EXEC, ADMIN})),
    "letter-keys": Rule(ALL, "post"),
    "find": Rule(ALL),
    "customers": Rule(ALL),
    "customer": Rule(ALL, kwarg="pk", model="customers.Customer"),
    "customer-part": Rule(ALL, kwarg="pk", model="customers.Customer", also={"part": "spend"}),
    "customer-timeline": Rule(ALL, kwarg="pk", model="customers.Customer"),
    "customer-add": Rule(WRITERS | {INT}),
    "customer-edit": Rule(WRITERS | {INT}, "get", "pk", "customers.Customer"),
    "log": Rule(WRITERS | {INT}, "post", "customer", "customers.Customer"),
    "contact-add": Rule(WRITERS | {INT}, "get", "customer", "customers.Customer"),
    "contact": Rule(WRITERS | {INT}, "get", "pk", "customers.Contact"),
    "complaint-add": Rule(WRITERS | {INT}, "get", "customer", "customers.Customer"),
    "complaint-solve": Rule(WRITERS | {INT}, "post", "pk", "customers.Complaint"),
    "risk": Rule(ALL),
    "alerts": Rule(ALL),
    **{f"alerts-{verb}": Rule(ALL) for verb in ("snooze", "assign", "close")},
    **{f"alerts-{verb}": Rule(ALL, "post") for verb in ("act", "undo")},
    "alert": Rule(ALL, "get", "pk", "risk.Alert"),
    "alert-wake": Rule(ALL, "post", "pk", "risk.Alert"),
    "alert-reopen": Rule(ALL, "post", "pk", "risk.Alert"),
    "notices": Rule(ALL),
    "notice-open": Rule(ALL, "post", "pk", "followups.Notice"),
    "notice-wishes": Rule(ALL),
    "notice-chat": Rule(ALL),
    "complaints": Rule(ALL),
    "complaint-figures": Rule(ALL),
    "complaint-people": Rule(frozenset({LEAD, ADMIN})),
    "complaint": Rule(ALL, "get", "pk", "customers.Complaint"),
    **{
        f"complaint-{verb}": Rule(WRITERS | {INT}, "post", "pk", "customers.Complaint")
        for verb in ("apologise", "promise", "progress", "solution", "call-back", "hand-on", "take-back")
    },
    "cases": Rule(ALL),
    "case-list": Rule(ALL),
    "case": Rule(ALL, "get", "pk", "risk.Case"),
    "case-learn": Rule(WRITERS, "get", "pk", "risk.Case"),
    "playbooks": Rule(ALL),
    "playbook": Rule(ALL, "get", "pk", "risk.Playbook"),
    "playbook-add": Rule(frozenset({LEAD, ADMIN})),
    "playbook-edit": Rule(frozenset({LEAD, ADMIN}), "get", "pk", "risk.Playbook"),
    "playbook-switch": Rule(frozenset({LEAD, ADMIN}), "post", "pk", "risk.Playbook"),
    "playbook-runs": Rule(ALL),
    "playbook-run": Rule(ALL, "get", "pk", "risk.PlaybookRun"),
    "playbook-run-stop": Rule(WRITERS | {INT}, "post", "pk", "risk.PlaybookRun"),
    "playbook-run-undo": Rule(WRITERS | {INT}, "post", "pk", "risk.PlaybookRun"),
    "playbook-run-hand-over": Rule(WRITERS | {INT}, "get", "pk", "risk.PlaybookRun"),
    "playbook-run-say": Rule(WRITERS | {INT}, "post", "pk", "risk.PlaybookRun", also={"step": "ask"}),
    "playbook-run-skip": Rule(WRITERS | {INT}, "post", "pk", "risk.PlaybookRun", also={"step": "ask"}),
    "playbook-start": Rule(WRITERS | {INT}, "get", "customer", "customers.Customer"),
    "today-playbook": Rule(WRITERS | {INT}, "post"),
    "win-backs": Rule(ALL),
    "win-back-rates": Rule(ALL),
    "win-back": Rule(ALL, "get", "pk", "risk.WinBack"),
    "win-back-offer": Rule(WRITERS, "get", "pk", "risk.WinBack"),
    "win-back-give-up": Rule(WRITERS, "post", "pk", "risk.WinBack"),
    "win-back-take-up": Rule(WRITERS, "post", "pk", "risk.WinBack"),
    "win-back-answer": Rule(WRITERS, "get", "pk", "risk.WinBackTry"),
    "survey-response-add": Rule(WRITERS | {INT}, "get", "customer", "customers.Customer"),
    "survey-response": Rule(WRITERS | {INT}, "get", "pk", "customers.SurveyResponse"),
    "evidence-add": Rule(WRITERS | {INT}, "get", "customer", "customers.Customer"),
    "evidence": Rule(WRITERS | {INT}, "get", "pk", "customers.Evidence"),
    "evidence-delete": Rule(WRITERS | {INT}, "post", "pk", "customers.Evidence"),
    "care": Rule(ALL),
    "customer-care": Rule(ALL, "get", "customer", "customers.Customer"),
    "care-day-add": Rule(WRITERS | {INT}, "get", "customer", "customers.Customer"),
    "care-day": Rule(WRITERS | {INT}, "get", "pk", "followups.CareDay"),
    "care-day-delete": Rule(WRITERS | {INT}, "get", "pk", "followups.CareDay"),
    "care-wishes": Rule(WRITERS | {INT}, "get", "pk", "customers.Contact"),
    "coverage": Rule(ALL),
    "coverage-rows": Rule(ALL),
    "coverage-year": Rule(ALL),
    "cover": Rule(ALL),
    "absence-add": Rule(WRITERS),
    # Somebody else's absence, for which an account manager does not step in: tests/pages/test_cover.py looks at others.
    "absence": Rule(frozenset({LEAD, ADMIN}), "get", "pk", "followups.Absence"),
    "absence-end": Rule(frozenset({LEAD, ADMIN}), "get", "pk", "followups.Absence"),
    "hand-over": Rule(frozenset({LEAD, ADMIN})),
    "owner-changes": Rule(ALL),
    "pack": Rule(ALL, "get", "pk", "tenants.Member"),
    "customer-pack": Rule(ALL, kwarg="pk", model="customers.Customer"),
    "tier-pin": Rule(frozenset({LEAD, ADMIN}), "get", "customer", "customers.Customer"),
    "tier-unpin": Rule(frozenset({LEAD, ADMIN}), "post", "pk", "segmentation.TierPin"),
    "pulse": Rule(WRITERS, "get", "customer", "customers.Customer"),
    # The row is somebody else's: an account manager takes only own ones back; tests/pages/test_pulse.py looks.
    "pulse-withdraw": Rule(frozenset({LEAD, ADMIN}), "post", "pk", "health.Pulse"),
    "health": Rule(ALL),
    "health-disagreement": Rule(ALL),
    "health-quality": Rule(ALL),
    "policy": Rule(ALL - {INT}),
    "policy-dry-run": Rule(frozenset({LEAD, ADMIN}), "post"),
    "policy-moves": Rule(frozenset({LEAD, ADMIN})),
    "policy-colours": Rule(frozenset({LEAD, ADMIN})),
    "policy-signals": Rule(frozenset({LEAD, ADMIN})),
    "policy-signal-customers": Rule(frozenset({LEAD, ADMIN})),
    "policy-save": Rule(frozenset({LEAD, ADMIN}), "post"),
    "policy-discard": Rule(frozenset({LEAD, ADMIN}), "post"),
    "policy-pack": Rule(frozenset({LEAD, ADMIN}), "post"),
    "policy-rebase": Rule(frozenset({LEAD, ADMIN}), "post"),
    "policy-versions": Rule(ALL - {INT}),
    "policy-version": Rule(ALL - {INT}, "get", "number", "tenants.PolicyVersion"),
    "policy-restore": Rule(frozenset({LEAD, ADMIN}), "post", "number", "tenants.PolicyVersion"),
    "policy-compare": Rule(ALL - {INT}),
    "customer-health": Rule(ALL, kwarg="pk", model="customers.Customer"),
    "health-forecast": Rule(ALL),
    "health-back-test": Rule(ALL),
    "health-back-test-one": Rule(ALL, kwarg="pk", model="health.BackTest"),
    "health-back-test-start": Rule(frozenset({LEAD, ADMIN})),
    "segments": Rule(ALL),
    "segments-migration": Rule(ALL),
    "segments-figures": Rule(ALL),
    "segments-cross-sell": Rule(ALL),
    "segments-saved": Rule(ALL),
    "segment-save": Rule(ALL - {INT}),
    "segment": Rule(ALL, "get", "pk", "segmentation.SavedSegment"),
    # The row is somebody else's and shared: only an administrator may change it; tests/pages/test_saved_segments.py
    # looks at who made one.
    "segment-edit": Rule(frozenset({ADMIN}), "get", "pk", "segmentation.SavedSegment"),
    "segment-evaluate": Rule(ALL - {INT}, "post", "pk", "segmentation.SavedSegment"),
    "segment-delete": Rule(frozenset({ADMIN}), "post", "pk", "segmentation.SavedSegment"),
    "surveys": Rule(ALL),
    "surveys-answers": Rule(ALL),
    "surveys-asked": Rule(ALL),
    "surveys-accounts": Rule(ALL),
    "survey-ask": Rule(WRITERS | {INT}, "get", "customer", "customers.Customer"),
    "survey-loop": Rule(WRITERS | {INT}, "get", "pk", "followups.SurveyLoop"),
    "quality": Rule(ALL - {INT}),
    "quality-people": Rule(ALL - {INT}),
    "quality-review": Rule(frozenset({LEAD, ADMIN}), "get", "pk", "followups.QualityReview"),
    "quality-mystery": Rule(frozenset({LEAD, EXEC, ADMIN})),
    "mystery-visit-add": Rule(frozenset({LEAD, EXEC, ADMIN})),
    "mystery-visit": Rule(frozenset({LEAD, EXEC, ADMIN}), "get", "pk", "followups.MysteryVisit"),
    # Everybody of the firm works on the crises that they see; whose compensation who approves: tests/risk/test_incidents.py.
    "crises": Rule(ALL),
    "crisis-open": Rule(ALL),
    "crisis": Rule(ALL, "get", "pk", "risk.Incident"),
    "crisis-live": Rule(ALL, "get", "pk", "risk.Incident"),
    "crisis-update": Rule(ALL, "post", "pk", "risk.Incident"),
    "crisis-level": Rule(ALL, "get", "pk", "risk.Incident"),
    "crisis-pause": Rule(ALL, "get", "pk", "risk.Incident"),
    "crisis-resume": Rule(ALL, "post", "pk", "risk.Incident"),
    "crisis-team": Rule(ALL, "get", "pk", "risk.Incident"),
    "crisis-drill": Rule(ALL, "post", "pk", "risk.Incident"),
    "crisis-close": Rule(ALL, "get", "pk", "risk.Incident"),
    "crisis-reopen": Rule(ALL, "get", "pk", "risk.Incident"),
    "crisis-step-add": Rule(ALL, "get", "pk", "risk.Incident"),
    "crisis-step": Rule(ALL, "get", "pk", "risk.IncidentStep"),
    "crisis-step-do": Rule(ALL, "post", "pk", "risk.IncidentStep", also={"verb": "done"}),
    "crisis-compensation": Rule(ALL, "get", "pk", "risk.Incident"),
    "crisis-compensation-do": Rule(ALL, "post", "pk", "risk.IncidentCompensation", also={"verb": "approve"}),
    "crisis-link": Rule(ALL, "get", "pk", "risk.Incident"),
    "crisis-link-revoke": Rule(ALL, "post", "pk", "risk.IncidentLink"),
    "crisis-customer": Rule(ALL, "get", "pk", "risk.Incident"),
    "crisis-report": Rule(ALL, "get", "pk", "risk.Incident", also={"language": "en"}),
    "crisis-report-save": Rule(ALL, "post", "pk", "risk.Incident", also={"language": "en"}),
    "crisis-report-do": Rule(ALL, "post", "pk", "risk.Incident", also={"language": "en", "verb": "draft"}),
    "referrals": Rule(ALL),
    "referral-add": Rule(WRITERS | {INT}),
    "referral-edit": Rule(WRITERS | {INT}, "get", "pk", "customers.Referral"),
    "referral-withdraw": Rule(WRITERS | {INT}, "get", "pk", "customers.Referral"),
    "rewards": Rule(ALL),
    "rewards-approve": Rule(APPROVERS),
    "payouts": Rule(frozenset({EXEC, ADMIN})),
    "payout": Rule(frozenset({EXEC, ADMIN}), "get", "pk", "incentives.Payout"),
    "statement": Rule(ALL),
    "statement-product": Rule(frozenset({EXEC, ADMIN, INT})),
    # The row is nobody's of Lea's team; tests/pages/test_rewards.py looks at those.
    "statement-of": Rule(frozenset({EXEC, ADMIN, INT}), "get", "pk", "tenants.Member"),
    "upgrades": Rule(ALL),
    "upgrade-add": Rule(WRITERS | {INT}),
    "upgrade-withdraw": Rule(WRITERS | {INT}, "get", "pk", "incentives.Upgrade"),
    "reward": Rule(ALL, "get", "pk", "incentives.Reward"),
    "reward-approve": Rule(APPROVERS, "post", "pk", "incentives.Reward"),
    "reward-dispute": Rule(ALL - {INT}, "post", "pk", "incentives.Reward"),
    "reward-settle": Rule(ALL - {INT}, "post", "pk", "incentives.Reward"),
    "kpis": Rule(ALL),
    "kpi-rows": Rule(ALL),
    # The row is nobody's of Lea's team; tests/pages/test_kpis.py looks at one's own and the team's.
    "kpi-card": Rule(frozenset({EXEC, ADMIN, INT}), "get", "pk", "tenants.Member"),
    "kpi-people": Rule(frozenset({LEAD, ADMIN})),
    "kpi-job": Rule(frozenset({ADMIN}), "get", "pk", "tenants.Member"),
    "kpi-target": Rule(frozenset({LEAD, ADMIN})),
    "kpi-close": Rule(frozenset({LEAD, ADMIN}), also={"code": "2026-01"}),
    "kpi-recount": Rule(frozenset({LEAD, ADMIN}), "post", also={"code": "2026-01"}),
    "goals": Rule(ALL),
    "goal": Rule(ALL, "get", "pk", "incentives.Goal"),
    "goal-add": Rule(ALL - {INT}),
    # The row is the firm's; tests/pages/test_goals.py looks at one's own.
    "goal-edit": Rule(frozenset({EXEC, ADMIN}), "get", "pk", "incentives.Goal"),
    "goal-step": Rule(frozenset({EXEC, ADMIN}), "get", "pk", "incentives.Goal"),
    "certifications": Rule(ALL),
    # Of these the rows are of Ann, whom Lea leads; tests/pages/test_growth.py looks at whom nobody may.
    "certification": Rule(ALL, "get", "pk", "incentives.Certification"),
    "certification-score": Rule(APPROVERS, "get", "pk", "incentives.Certification"),
    "certification-confirm": Rule(APPROVERS, "get", "pk", "incentives.Certification"),
    "certification-back": Rule(APPROVERS, "get", "pk", "incentives.Certification"),
    "certification-reviewer": Rule(APPROVERS, "get", "pk", "incentives.Certification"),
    "growth-person": Rule(frozenset({EXEC, ADMIN, INT}), "get", "pk", "tenants.Member"),
    "promotion-settle": Rule(APPROVERS, "get", "pk", "incentives.PromotionNote"),
    "trainings": Rule(ALL),
    "training": Rule(ALL, "get", "pk", "incentives.Training"),
    "training-add": Rule(ALL - {INT}),
    "training-edit": Rule(ALL - {INT}, "get", "pk", "incentives.Training"),
    "training-end": Rule(ALL - {INT}, "get", "pk", "incentives.Training"),
    "training-approve": Rule(ALL - {INT}, "get", "pk", "incentives.Training"),
    "training-take-back": Rule(ALL - {INT}, "get", "pk", "incentives.Training"),
    "training-customer-add": Rule(ALL - {INT}, "get", "pk", "incentives.Training"),
    "training-customer": Rule(ALL - {INT}, "get", "pk", "incentives.TrainingCustomer"),
    "training-customer-do": Rule(ALL - {INT}, "post", "pk", "incentives.TrainingCustomer", also={"verb": "undo"}),
    "reports": Rule(ALL),
    "report": Rule(ALL, "get", "pk", "incentives.Report"),
    "report-send": Rule(ALL, "post", "pk", "incentives.Report"),
    "report-now": Rule(ALL, also={"kind": "weekly"}),
    "report-now-send": Rule(ALL, "post", also={"kind": "weekly"}),
    "awards": Rule(ALL),
    "award-month": Rule(ALL, also={"code": "2026-01"}),
    "award-give": Rule(APPROVERS, "post", also={"code": "2026-01"}),
    "award-correct": Rule(APPROVERS, also={"code": "2026-01"}),
    "award-case": Rule(APPROVERS, also={"code": "2026-01"}),
    # The row is nobody's of Lea's team; tests/pages/test_awards.py looks at one's own and the team's.
    "award-standing": Rule(frozenset({EXEC, ADMIN, INT}), "get", "pk", "tenants.Member", {"code": "2026-01"}),
    "customer-points": Rule(ALL, "get", "pk", "customers.Customer"),
    "imports": Rule(frozenset({LEAD, ADMIN, INT})),
    "import-add": Rule(frozenset({ADMIN, INT})),
    "import": Rule(frozenset({LEAD, ADMIN, INT}), "get", "pk", "customers.Import"),
    "import-columns": Rule(frozenset({ADMIN, INT}), "get", "pk", "customers.Import"),
    "import-outcome": Rule(frozenset({LEAD, ADMIN, INT}), "get", "pk", "customers.Import"),
    "import-cancel": Rule(frozenset({ADMIN, INT}), "post", "pk", "customers.Import"),
    "import-repeat": Rule(frozenset({ADMIN, INT}), "post", "pk", "customers.Import"),
    "runs": Rule(frozenset({LEAD, EXEC, ADMIN})),
    "members": Rule(frozenset({LEAD, EXEC, ADMIN})),
    "member-add": Rule(frozenset({ADMIN})),
    "member": Rule(frozenset({ADMIN}), "get", "pk", "tenants.Member"),
    "tokens": Rule(frozenset({ADMIN})),
    "token-add": Rule(frozenset({ADMIN})),
    "token-revoke": Rule(frozenset({ADMIN}), "post", "pk", "tenants.ApiToken"),
}

# Rows of follow-ups that are not about one customer: everybody of the firm sees them who may open the page.
OF_NO_CUSTOMER = {
    "followups.Script",
    "followups.ScriptVariant",
    "followups.Journey",
    "followups.Notice",
    "incentives.Report",
    "risk.Playbook",
}

# Endpoints by resource: who may read, who may write.
FACT_WRITERS = frozenset({ADMIN, INT})
API: dict[str, tuple[frozenset[str], frozenset[str], str, str]] = {
    "customers": (ALL, WRITERS | {INT}, "pk", "customers.Customer"),
    "contacts": (ALL, WRITERS | {INT}, "pk", "customers.Contact"),
    "products": (ALL, FACT_WRITERS, "pk", "customers.Product"),
    "orders": (ALL, FACT_WRITERS, "pk", "customers.Order"),
    "interactions": (ALL, WRITERS | {INT}, "pk", "customers.Interaction"),
    "complaints": (ALL, WRITERS | {INT}, "pk", "customers.Complaint"),
    "survey-responses": (ALL, WRITERS | {INT}, "pk", "customers.SurveyResponse"),
    "evidence": (ALL, WRITERS | {INT}, "pk", "customers.Evidence"),
    "referrals": (ALL, WRITERS | {INT}, "pk", "customers.Referral"),
    "rewards": (ALL, ALL - {INT}, "pk", "incentives.Reward"),
    "upgrades": (ALL, WRITERS | {INT}, "pk", "incentives.Upgrade"),
    "goals": (ALL, ALL - {INT}, "pk", "incentives.Goal"),
    "awards": (ALL, frozenset(), "pk", "incentives.Medal"),
    "reports": (ALL, frozenset(), "pk", "incentives.Report"),
    "certifications": (ALL, APPROVERS, "pk", "incentives.Certification"),
    "trainings": (ALL, ALL - {INT}, "pk", "incentives.Training"),
    "promotion-notes": (ALL, APPROVERS, "pk", "incentives.PromotionNote"),
    "values": (ALL, frozenset(), "customer", "segmentation.Worth"),
    "tiers": (ALL, frozenset({LEAD, ADMIN}), "customer", "segmentation.Standing"),
    "cross-sell-rules": (ALL, frozenset(), "pk", "segmentation.CrossSellRule"),
    "segments": (ALL, ALL - {INT}, "pk", "segmentation.SavedSegment"),
    "scores": (ALL, frozenset(), "customer", "health.HealthScore"),
    "forecasts": (ALL, frozenset(), "customer", "health.LapseForecast"),
    "back-tests": (ALL, frozenset({LEAD, ADMIN}), "pk", "health.BackTest"),
    "pulses": (ALL, WRITERS, "pk", "health.Pulse"),
    "absences": (ALL, WRITERS, "pk", "followups.Absence"),
    "care-days": (ALL, WRITERS | {INT}, "pk", "followups.CareDay"),
    "follow-ups": (ALL, WRITERS | {INT}, "pk", "followups.FollowUp"),
    "scripts": (ALL, frozenset({LEAD, ADMIN}), "pk", "followups.Script"),
    "journeys": (ALL, frozenset({LEAD, ADMIN}), "pk", "followups.Journey"),
    "enrolments": (ALL, WRITERS | {INT}, "pk", "followups.Enrolment"),
    "messages": (ALL, WRITERS | {INT}, "pk", "followups.Message"),
    "opt-outs": (ALL, WRITERS | {INT}, "pk", "followups.OptOut"),
    "surveys": (ALL, WRITERS | {INT}, "pk", "followups.Survey"),
    "survey-loops": (ALL, WRITERS | {INT}, "pk", "followups.SurveyLoop"),
    "quality-reviews": (ALL - {INT}, frozenset({LEAD, ADMIN}), "pk", "followups.QualityReview"),
    "mystery-visits": (frozenset({LEAD, EXEC, ADMIN}), frozenset({LEAD, EXEC, ADMIN}), "pk", "followups.MysteryVisit"),
    "alerts": (ALL, ALL, "pk", "risk.Alert"),
    "notices": (ALL, ALL, "pk", "followups.Notice"),
    "cases": (ALL, WRITERS, "pk", "risk.Case"),
    "playbooks": (ALL, frozenset({LEAD, ADMIN}), "pk", "risk.Playbook"),
    "playbook-runs": (ALL, WRITERS | {INT}, "pk", "risk.PlaybookRun"),
    "win-backs": (ALL, WRITERS, "pk", "risk.WinBack"),
    "incidents": (ALL, ALL, "pk", "risk.Incident"),
    "members": (frozenset({LEAD, EXEC, ADMIN}), frozenset(), "pk", "tenants.Member"),
    "policy": (ALL - {INT}, frozenset({LEAD, ADMIN}), "number", "tenants.PolicyVersion"),
}
# What resources can do beside list, detail and batch: by which method, and who may.
ACTIONS: dict[str, tuple[str, frozenset[str]]] = {
    "api-policy-in-force": ("get", API["policy"][0]),
    "api-policy-compare": ("get", API["policy"][0]),
    "api-policy-packs": ("get", API["policy"][0]),
    "api-policy-restore": ("post", API["policy"][1]),
    "api-policy-dry-run": ("post", API["policy"][1]),
    "api-policy-dry-run-signals": ("post", API["policy"][1]),
    "api-cases-statements": ("get", ALL),
    "api-win-backs-rates": ("get", ALL),
    "api-kpis-close": ("post", frozenset({LEAD, ADMIN})),
    "api-awards-give": ("post", APPROVERS),
    "api-awards-correct": ("post", APPROVERS),
    "api-awards-best-case": ("post", APPROVERS),
    # Asking the contact governor writes nothing.
    "api-messages-verdict": ("post", ALL),
}
# Endpoints that answer a question instead of listing rows: who may ask, with what.
FIGURES: dict[str, tuple[frozenset[str], str]] = {
    "api-figures-repurchase": (ALL, ""),
    "api-figures-order-values": (ALL, ""),
    "api-figures-pareto": (ALL, ""),
    "api-figures-seasons": (ALL, ""),
    **{f"api-health-{name}": (ALL, "") for name in ("distribution", "trend", "movers", "owners")},
    "api-health-transitions": (ALL, "?start=2026-01-01&end=2026-02-01"),
    "api-data-quality": (ALL, ""),
    "api-figures-surveys": (ALL, "?start=2026-01-01&end=2026-02-01"),
    "api-figures-quality": (ALL - {INT}, "?start=2026-01-01&end=2026-02-01"),
    "api-kpis": (ALL, "?period=2026-01"),
    "api-kpis-rows": (ALL, "?period=2026-01&kpi=csat"),
    "api-score-cards": (ALL, "?period=2026-01"),
    "api-awards-standings": (ALL, "?period=2026-01"),
    "api-awards-proposals": (APPROVERS, "?period=2026-01"),
    "api-figures-migration": (ALL, "?start=2026-01-01&end=2026-02-01"),
}
# Of the API, what answers without a resource: the caller itself, and the documents.
API_OPEN = {"api-me", "api-schema", "api-docs", "api-problems"}
HOUSE = {
    "feed",
    "survey-answer",
    "incident-page",
    "unsubscribe",
    "notice-unsubscribe",
    "start",
    "language",
    "healthz",
    "readyz",
}


def patterns(resolver: URLResolver | None = None, prefix: str = "") -> dict[str, str]:
    found: dict[str, str] = {}
    for entry in (resolver or get_resolver()).url_patterns:
        path = prefix + str(entry.pattern)
        if isinstance(entry, URLResolver):
            found |= patterns(entry, path)
        elif isinstance(entry, URLPattern) and entry.name:
            found[entry.name] = path
    return found


def ident(row: Any) -> int:
    """What the address of a row has: of most, the id."""
    if isinstance(row, PolicyVersion):
        return row.number
    return row.customer_id if isinstance(row.pk, tuple) else row.pk


@pytest.fixture
def made(cast):
    """A row of acme, of a customer whom everybody of acme sees: Ann's, covered by Bo, of Lea's team."""

    def make(label: str, tenant=None) -> int:
        with tenant_scope(tenant or cast.tenant):
            row = ROWS[label]()
            customer = row if label == "customers.Customer" else getattr(row, "customer", None)
            if customer is not None and tenant is None:
                type(customer).objects.filter(pk=customer.pk).update(owner_a=cast.ann, owner_b=cast.bo)
            return ident(row)

    return make


GROWN: dict[str, Any] = {
    "incentives.Certification": Certification,
    "incentives.PromotionNote": PromotionNote,
    "incentives.Training": Training,
    "incentives.TrainingCustomer": TrainingCustomer,
}


def own(cast, label: str, pk: int, member) -> int:
    """The row, which is the member's now where each has rows of their own that nobody else sees."""
    if label == "followups.Notice":
        with tenant_scope(cast.tenant):
            Notice.objects.filter(pk=pk).update(member=member)
    if label in GROWN:
        with tenant_scope(cast.tenant):
            if label == "incentives.TrainingCustomer":
                Training.objects.filter(customers__pk=pk).update(member=cast.ann)
            else:
                PromotionNote.objects.filter(member=cast.ann).delete()  # one for each person
                GROWN[label].objects.filter(pk=pk).update(member=cast.ann)
    if label == "incentives.Report":  # what was made is never changed
        with tenant_scope(cast.tenant):
            made: int = Report.objects.create(
                kind="weekly", start=DAY, member=member, as_of=DAY, policy_version=1, facts=report_facts()
            ).pk
        return made
    return pk


def test_every_page_has_a_row():
    pages = {name for name, path in patterns().items() if path.startswith("<slug:tenant>/")}
    assert pages == set(PAGES)


def test_every_endpoint_has_a_row():
    endpoints = {name for name in patterns() if name.startswith("api-")} - API_OPEN - set(FIGURES) - set(ACTIONS)
    assert {name for name in endpoints if not any(name.startswith(f"api-{resource}-") for resource in API)} == set()


def test_every_other_address_is_known():
    # What mail providers call is anymail's, and answers only to who knows the secret.
    elsewhere = ("<slug:tenant>/", "api/", "accounts/", "hooks/")
    others = {name for name, path in patterns().items() if not path.startswith(elsewhere)}
    assert others == HOUSE


def call(client: Client, rule: Rule, url: str) -> int:
    return getattr(client, rule.method)(url).status_code


def url_of(name: str, rule: Rule, pk: int | None) -> str:
    return reverse(name, kwargs={"tenant": "acme"} | ({rule.kwarg: pk} if rule.kwarg else {}) | rule.also)


@pytest.mark.parametrize("name", PAGES)
def test_a_page_opens_to_whom_it_may(cast, made, sign_in, name):
    rule = PAGES[name]
    for role, member in cast.roles.items():
        pk = own(cast, rule.model, made(rule.model), member) if rule.model else None
        status = call(sign_in(member), rule, url_of(name, rule, pk))
        if role in rule.may:
            assert status < 500, (role, status)
            assert status not in (403, 404, 405), (role, status)
        else:
            assert status == 403, (role, status)


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_not_there_for_a_stranger_and_asks_nobody_to_sign_in(cast, made, sign_in, name):
    rule = PAGES[name]
    url = url_of(name, rule, made(rule.model) if rule.model else None)
    assert call(sign_in(cast.otto), rule, url) == 404
    answer = getattr(Client(), rule.method)(url)
    assert answer.status_code == 302
    assert answer["Location"].startswith(reverse("account_login"))


@pytest.mark.parametrize("name", [name for name, rule in PAGES.items() if rule.model])
def test_a_page_does_not_show_another_tenants_row(cast, made, sign_in, name):
    rule = PAGES[name]
    theirs = made(rule.model, cast.other_tenant)
    assert call(sign_in(cast.ada), rule, url_of(name, rule, theirs)) == 404
    assert call(sign_in(cast.ada), rule, url_of(name, rule, 10**9)) == 404


@pytest.mark.parametrize(
    "name",
    [
        n
        for n, r in PAGES.items()
        if r.model.startswith(
            (
                "customers.C",
                "customers.S",
                "customers.E",
                "customers.R",
                "incentives.R",
                "incentives.U",
                "followups",
                "risk.A",
                "risk.C",
                "risk.P",
                "risk.W",
            )
        )
        and r.model not in OF_NO_CUSTOMER
    ],
)
def test_a_page_does_not_show_a_colleagues_customer(cast, sign_in, name):
    rule = PAGES[name]
    if "account_manager" not in rule.may:
        pytest.skip("account managers may not open this page at all; the table above says so")
    with tenant_scope(cast.tenant):
        row = ROWS[rule.model]()  # of a customer without owners
        pk = ident(row)
    assert call(sign_in(cast.ann), rule, url_of(name, rule, pk)) == 404
    assert call(sign_in(cast.lea), rule, url_of(name, rule, pk)) not in (403, 404)


def bearer(cast, member) -> dict[str, str]:
    return {"HTTP_AUTHORIZATION": f"Bearer {cast.token(member)}"}


@pytest.mark.parametrize("resource", API)
def test_an_endpoint_reads_and_writes_for_whom_it_may(cast, made, resource):
    readers, writers, kwarg, model = API[resource]
    names = patterns()
    client = Client()
    for role, member in cast.roles.items():
        head = bearer(cast, member)
        listed = client.get(reverse(f"api-{resource}-list"), **head).status_code
        one = client.get(
            reverse(f"api-{resource}-detail", kwargs={kwarg: own(cast, model, made(model), member)}), **head
        ).status_code
        assert (listed, one) == ((200, 200) if role in readers else (403, 403)), role
        if f"api-{resource}-batch" in names:
            sent = client.post(
                reverse(f"api-{resource}-batch"),
                json.dumps({"mode": "partial", "rows": []}),
                content_type="application/json",
                **head,
            )
            assert (sent.status_code == 403) == (role not in writers), (role, sent.content)


@pytest.mark.parametrize("name", ACTIONS)
def test_an_action_is_done_for_whom_it_may(cast, name):
    method, may = ACTIONS[name]
    for role, member in cast.roles.items():
        answer = getattr(Client(), method)(reverse(name), **bearer(cast, member))
        assert (answer.status_code == 403) == (role not in may), (role, answer.content)
        assert answer.status_code < 500, role
    assert getattr(Client(), method)(reverse(name)).status_code == 401


@pytest.mark.parametrize("resource", API)
def test_an_endpoint_does_not_show_another_tenants_row(cast, made, resource):
    _readers, _writers, kwarg, model = API[resource]
    theirs = made(model, cast.other_tenant)
    answer = Client().get(reverse(f"api-{resource}-detail", kwargs={kwarg: theirs}), **bearer(cast, cast.ada))
    assert answer.status_code == 404
    assert answer["Content-Type"].startswith("application/problem+json")


@pytest.mark.parametrize("name", FIGURES)
def test_a_figure_answers_whom_it_may(cast, name):
    askers, query = FIGURES[name]
    for role, member in cast.roles.items():
        answer = Client().get(reverse(name) + query, **bearer(cast, member))
        assert answer.status_code == (200 if role in askers else 403), (role, answer.content)
    assert Client().get(reverse(name) + query).status_code == 401


@pytest.mark.parametrize("resource", API)
def test_an_endpoint_answers_nobody(cast, resource):
    answer = Client().get(reverse(f"api-{resource}-list"))
    assert answer.status_code == 401
    assert answer["Content-Type"].startswith("application/problem+json")
