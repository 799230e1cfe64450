"""Surveys and quality reviews of a demo firm: who was asked, why they answered so, what was done, what reviewers found."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Final

from config.demo.firm import Firm, dice
from config.demo.orders import moment, working_day
from customers.models import Channel, Contact, SurveyResponse
from followups.models import FollowUp, QualityReview, Reason, Survey, SurveyLoop, SurveyReason
from followups.quality import services as quality
from followups.rules.survey_policy import SurveyPolicy
from followups.rules.surveys import is_low
from followups.surveys import loops
from tenants.context import current_tenant
from tenants.models import Member
from tenants.permissions import Role
from tenants.policies import active_policy

_ASKED_DAYS: Final = 120
_LOOPS_DAYS: Final = 84  # since the first night of the demo
_TICKED_SHARE: Final = 0.55  # of those who answered
_ANALYSED_SHARE: Final = 0.7
_REVIEWED_SHARE: Final = 0.85  # of the drawn contacts
_PROBLEM_SHARE: Final = 0.3
_VISITS: Final = 5

_LIKELY: Final[Mapping[bool, tuple[Reason, ...]]] = {
    True: (Reason.DELIVERY, Reason.DELIVERY, Reason.RESPONSE, Reason.PRICE, Reason.AFTER_SALES, Reason.PRODUCT),
    False: (Reason.PEOPLE, Reason.PRODUCT, Reason.PRODUCT, Reason.RANGE, Reason.RESPONSE, Reason.PRICE),
}


@dataclass(frozen=True)
class _Words:
    """What people write, in the firm's language: (kind, problem, cause, measure), what was behind, and scenes."""

    findings: Sequence[tuple[str, str, str, str]]
    behind: Sequence[str]
    scenes: Sequence[tuple[str, str]]


_WORDS: Final[Mapping[str, _Words]] = {
    "en": _Words(
        findings=(
            ("promise", "A sample was promised; nobody has noted by when", "No next step chosen when logging", "Choose the next step with every log"),
            ("need", "The shop spoke of a refit; nobody asked what for", "Call made between two others", "Two open questions before the offer"),
            ("log", "The note says “talked” and nothing else", "Logged at the end of the day", "Log right after the call"),
            ("slow", "Answered on the third day", "Question went to a colleague on leave", "Questions go to the B owner during leave"),
        ),
        behind=(
            "The forwarder was changed in October; two pallets came late",
            "Waited three days for a price on the phone",
            "Breakages were replaced only after the second call",
        ),
        scenes=(
            ("Leeds showroom", "Asked for a mug in a colour that is out of stock"),
            ("", "Called at ten to six and asked for a delivery date"),
            ("", "Wrote about a broken pot and asked what to do"),
        ),
    ),
    "zh-hans": _Words(
        findings=(
            ("promise", "答应寄样，没有记下日期", "记录时没有选下一步", "每次记录都选下一步"),
            ("need", "客户提到店面翻新，没有追问用途", "通话夹在两个会之间", "报价前先问两个开放式问题"),
            ("log", "记录只写了“已沟通”", "下班前一次补记", "通话后马上记录"),
            ("slow", "第三天才回复", "问题转给了休假的同事", "休假期间转给B角"),
        ),
        behind=("十月换了物流，两车货晚到", "电话问价等了三天", "破损补货催了两次才到"),
        scenes=(
            ("佛山展厅", "问一款缺货的抛釉砖"),
            ("", "下班前十分钟来电问交期"),
            ("", "写信反映破损，问怎么办"),
        ),
    ),
}  # fmt: skip


def ask_customers(firm: Firm, today: dt.date) -> None:
    """The surveys behind the last months' answers and those that nobody answered; low answers have follow-ups.

    Before the demo's nights pass: what is open then is worked on between them.
    """
    rules = active_policy().section(SurveyPolicy)
    tenant = current_tenant()
    since = tenant.start_of(today - dt.timedelta(days=_ASKED_DAYS))
    answers = SurveyResponse.objects.filter(at__gte=since, contact__isnull=False).select_related("customer", "contact")
    answered = [_answered(firm, each, rules) for each in answers.order_by("at", "pk")]
    silent = [each for contact in _silent(firm, answered, today) for each in _unanswered(firm, contact, rules, today)]
    Survey.objects.bulk_create([*answered, *silent])
    _reasons(firm, answered)
    first = tenant.start_of(today - dt.timedelta(days=_LOOPS_DAYS))
    low = [each for each in answered if is_low(each.kind, _response(each).score, rules) and _response(each).at >= first]
    _loops(firm, [_response(each) for each in low], rules)


def review_contacts(firm: Firm, members: Mapping[str, Member], today: dt.date) -> None:
    """After the nights: who says it is better now, what reviewers found in the months' samples, mystery visits."""
    loops.verify()
    leads = [members[person.email] for person in firm.staff(Role.TEAM_LEAD)]
    words = _WORDS[firm.language]
    for row in QualityReview.objects.select_related("member__user", "interaction").order_by("pk"):
        rng = dice(firm.slug, "review", row.interaction.at, row.member.user.email)
        reviewer = next((lead for lead in leads if lead.pk != row.member_id), None)
        if reviewer is None or rng.random() >= _REVIEWED_SHARE:
            continue
        found: quality.Findings = {"score": rng.choice((4, 5, 5))}
        if rng.random() < _PROBLEM_SHARE:
            kind, problem, cause, measure = rng.choice(words.findings)
            until = today + dt.timedelta(days=rng.randint(-6, 14))
            done = until - dt.timedelta(days=2) if until < today and rng.random() < 0.6 else None
            found = {
                "score": rng.choice((2, 3)), "problem_kind": kind, "problem": problem, "cause": cause,
                "measure": measure, "measure_due_on": until, "measure_done_on": done,
            }  # fmt: skip
        quality.review(review=row, member=reviewer, **found)
    visitors = [members[person.email] for person in firm.staff(Role.EXECUTIVE)] or leads
    staff = [members[person.email] for person in firm.staff(Role.ACCOUNT_MANAGER)]
    for number in range(_VISITS):
        rng = dice(firm.slug, "visit", number)
        place, scene = words.scenes[number % len(words.scenes)]
        quality.add_visit(
            by=visitors[number % len(visitors)],
            on=today - dt.timedelta(days=1 + 4 * number),
            channel=Channel.STORE if place else rng.choice((Channel.PHONE, Channel.EMAIL)),
            place=place,
            member=rng.choice(staff),
            scene=scene,
            score=rng.choice((3, 4, 5)),
        )


def _answered(firm: Firm, answer: SurveyResponse, rules: SurveyPolicy) -> Survey:
    rng = dice(firm.slug, "asked", answer.external_id)
    asked_at = answer.at - dt.timedelta(hours=rng.randint(1, 60))
    survey = _survey(firm, _contact(answer), answer.kind, asked_at, rules, f"answer:{answer.pk}")
    if answer.complaint_id is not None:
        survey.cause, survey.complaint_id = Survey.Cause.COMPLAINT, answer.complaint_id
    elif answer.kind == "csat":
        survey.cause = Survey.Cause.CONTACT
    survey.response, survey.answered_at = answer, answer.at
    return survey


def _survey(firm: Firm, contact: Contact, kind: str, asked_at: dt.datetime, rules: SurveyPolicy, period: str) -> Survey:
    return Survey(
        customer_id=contact.customer_id,
        contact=contact,
        kind=kind,
        cause=Survey.Cause.ROTATION,
        period=period,
        channel=Channel.EMAIL,
        language=firm.language,
        asked_at=asked_at,
        expires_at=asked_at + dt.timedelta(days=rules.answer_days),
    )


def _silent(firm: Firm, answered: Sequence[Survey], today: dt.date) -> list[Contact]:
    """Contacts who were asked and said nothing: somebody who bought, and has not answered."""
    known = {each.contact_id for each in answered}
    rows = Contact.objects.filter(
        left_on__isnull=True, customer__closed_on__isnull=True, customer__activity__orders__gt=0
    )
    return [
        contact
        for contact in rows.distinct().order_by("pk")
        if contact.pk not in known and dice(firm.slug, "silent", contact.external_id, today).random() < 0.35
    ]


def _unanswered(firm: Firm, contact: Contact, rules: SurveyPolicy, today: dt.date) -> list[Survey]:
    rng = dice(firm.slug, "unanswered", contact.external_id)
    day = working_day(firm, today - dt.timedelta(days=rng.randint(2, _ASKED_DAYS)), today - dt.timedelta(days=1))
    survey = _survey(firm, contact, "nps", moment(firm, day, rng), rules, f"asked:{day.isoformat()}")
    if (today - day).days > rules.reminder_days:
        survey.reminders, survey.reminded_at = 1, survey.asked_at + dt.timedelta(days=rules.reminder_days)
    return [survey]


def _reasons(firm: Firm, answered: Sequence[Survey]) -> None:
    rows = []
    for survey in answered:
        answer = _response(survey)
        rng = dice(firm.slug, "reasons", answer.external_id)
        if rng.random() >= _TICKED_SHARE:
            continue
        is_bad = answer.score <= (6 if answer.kind == "nps" else 2)
        rows += [
            SurveyReason(customer_id=answer.customer_id, response=answer, code=code)
            for code in sorted(_some(rng, _LIKELY[is_bad]))
        ]
    SurveyReason.objects.bulk_create(rows)


def _some(rng: Random, likely: Sequence[Reason]) -> set[Reason]:
    return set(rng.choices(likely, k=rng.choice((1, 1, 2))))


def _loops(firm: Firm, answers: Sequence[SurveyResponse], rules: SurveyPolicy) -> None:
    """Low answers, each with the follow-up that it was given at once, and most of them looked into."""
    tenant, words = current_tenant(), _WORDS[firm.language]
    follow_ups = FollowUp.objects.bulk_create(
        FollowUp(
            customer=answer.customer,
            contact=answer.contact,
            assignee_id=answer.customer.owner_a_id,
            kind="light_touch",
            channel=_contact(answer).channel or Channel.PHONE,
            rule=f"survey:{answer.kind}",
            period=f"response:{answer.pk}",
            facts={"score": answer.score, "on": tenant.local_date(answer.at).isoformat()},
            level=FollowUp.Level.MODERATE,
            due_at=answer.at + dt.timedelta(hours=rules.low_hours),
            due_on=tenant.local_date(answer.at + dt.timedelta(hours=rules.low_hours)),
        )
        for answer in answers
    )
    rows = []
    for answer, follow_up in zip(answers, follow_ups, strict=True):
        rng = dice(firm.slug, "loop", answer.external_id)
        loop = SurveyLoop(customer=answer.customer, response=answer, opened_at=answer.at, follow_up=follow_up)
        if rng.random() < _ANALYSED_SHARE:
            loop.analysed_at, loop.analysed_by_id = answer.at + dt.timedelta(hours=20), answer.customer.owner_a_id
            loop.behind = rng.choice(words.behind)
        rows.append(loop)
    SurveyLoop.objects.bulk_create(rows)


def _response(survey: Survey) -> SurveyResponse:
    if survey.response is None:
        raise ValueError("This survey has no answer")
    return survey.response


def _contact(answer: SurveyResponse) -> Contact:
    if answer.contact is None:
        raise ValueError("This answer names nobody")
    return answer.contact
