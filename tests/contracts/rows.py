"""One row of every tenant model. A new model without an entry here fails the isolation contract."""

from __future__ import annotations

import datetime as dt
import itertools
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from django.utils import timezone

from customers import models as facts
from followups.models import (
    Absence,
    Announcement,
    Bulk,
    BulkItem,
    CalendarFeed,
    CareDay,
    CareWishes,
    ChannelSetup,
    ContactWishes,
    CoverMove,
    DeadAddress,
    Desk,
    DutyHolder,
    Enrolment,
    FollowUp,
    Journey,
    JourneyStep,
    Message,
    MysteryVisit,
    Notice,
    NoticeChat,
    NoticeDelivery,
    NoticeWish,
    OptOut,
    QualityReview,
    QualitySample,
    Script,
    ScriptUse,
    ScriptVariant,
    Survey,
    SurveyLoop,
    SurveyReason,
)
from health import models as health
from incentives import models as earned
from incentives.ledger import services as ledger
from risk import models as risks
from risk.models import Alert
from segmentation import models as worth
from tenants import models as house

DAY = dt.date(2026, 11, 2)
NOW = timezone.now()
_numbers = itertools.count(1)


def new() -> str:
    """A name that no other row has."""
    return f"row-{next(_numbers)}"


def customer() -> facts.Customer:
    return facts.Customer.objects.create(name=new())


def product() -> facts.Product:
    return facts.Product.objects.create(external_id=new())


def order() -> facts.Order:
    return facts.Order.objects.create(
        customer=customer(), external_id=new(), placed_at=NOW, placed_on=DAY, currency="GBP", net=Decimal(1), digest=""
    )


def member() -> house.Member:
    user = house.User.objects.create_user(f"{new()}@example.org", name="Row")
    return house.Member.objects.create(user=user, role="executive")


def referral() -> facts.Referral:
    return facts.Referral.objects.create(referrer=customer(), customer=customer(), on=DAY)


def reward() -> earned.Reward:
    said = {"customer": "Row", "referrer": "Row", "recommended_on": "2026-11-01", "order": "1", "on": "2026-11-02"}
    return earned.Reward.objects.create(
        key=new(), kind="referral", customer=customer(), earned_on=DAY, policy_version=1, facts=said
    )


def report_facts() -> dict[str, Any]:
    """The least that a report says."""
    return {
        "kind": "weekly", "period": "2026-W44", "who": "tenant", "name": "", "start": "2026-10-26", "last": "2026-11-01",
        "as_of": "2026-11-02", "made_at": NOW.isoformat(), "scope": {}, "missing": [],
    }  # fmt: skip


def account() -> earned.Account:
    return earned.Account.objects.create(kind="staff_payable", commodity="money", member=member())


def entry() -> earned.Entry:
    """The database takes balanced ones only."""
    lines = [ledger.Line(account(), Decimal(1)), ledger.Line(account(), Decimal(-1))]
    return ledger.post(lines=lines, kind="accrual", key=new(), facts={})


def payout() -> earned.Payout:
    return earned.Payout.objects.create(number=next(_numbers), on=DAY, total=1, people=1)


def dispute() -> earned.Dispute:
    return earned.Dispute.objects.create(reward=reward(), opened_by=member())


def certification() -> earned.Certification:
    number = next(_numbers) % 200
    return earned.Certification.objects.create(
        member=member(), quarter=dt.date(1970 + number // 4, number % 4 * 3 + 1, 1)
    )  # fmt: skip


def training() -> earned.Training:
    return earned.Training.objects.create(
        member=member(), mentor=member(), title="Row", starts_on=DAY, due_on=DAY, wanted=1
    )  # fmt: skip


def award_round() -> earned.AwardRound:
    number = next(_numbers)
    return earned.AwardRound.objects.create(
        month=dt.date(2026, 1, 1), revision=number, as_of=DAY, policy_version=1, why="Row",
        facts={"usual": [], "left_out": [], "with_place": 0},
    )  # fmt: skip


def back_test() -> health.BackTest:
    return health.BackTest.objects.create(first=DAY, last=DAY, horizon_days=90, policy_version=1)


def saved_segment() -> worth.SavedSegment:
    return worth.SavedSegment.objects.create(name=new(), member=member(), is_shared=True)


def bulk() -> Bulk:
    return Bulk.objects.create(member=member(), verb="complete", total=1)


def run() -> house.Run:
    return house.Run.objects.create(job=new(), for_date=DAY)


def contact() -> facts.Contact:
    return facts.Contact.objects.create(customer=customer(), name=new())


def survey_response() -> facts.SurveyResponse:
    return facts.SurveyResponse.objects.create(customer=customer(), kind="nps", score=3)


def survey() -> Survey:
    asked = contact()
    return Survey.objects.create(
        customer=asked.customer, contact=asked, kind="nps", cause="hand", period=new(), channel="email", language="en",
        expires_at=NOW + dt.timedelta(days=14),
    )  # fmt: skip


def message() -> Message:
    to = contact()
    return Message.objects.create(
        customer=to.customer, contact=to, channel="email", purpose="care", origin="row", period=new(), subject="Row",
        body="Row", due_at=NOW,
    )  # fmt: skip


def survey_loop() -> SurveyLoop:
    response = survey_response()
    return SurveyLoop.objects.create(customer=response.customer, response=response)


def survey_reason() -> SurveyReason:
    response = survey_response()
    return SurveyReason.objects.create(customer=response.customer, response=response, code="price")


def quality_review() -> QualityReview:
    talk = facts.Interaction.objects.create(customer=customer(), channel="phone")
    return QualityReview.objects.create(
        customer=talk.customer, interaction=talk, member=member(), month=DAY.replace(day=1)
    )


def script() -> Script:
    return Script.objects.create(code=new(), scene="regular", name="Row")


def wording() -> ScriptVariant:
    made = script()
    texts = {"en": {"subject": "", "parts": ["Hello {customer}."]}}
    ScriptVariant.objects.create(script=made, letter="B", texts=texts)
    return ScriptVariant.objects.create(script=made, letter="A", texts=texts)


def journey() -> Journey:
    return Journey.objects.create(
        code=new(), name="Row", trigger="silence", definition={"trigger": "silence", "steps": [{"code": "ask"}]}
    )


def enrolment() -> Enrolment:
    return Enrolment.objects.create(
        journey=journey(), customer=customer(), event=new(), event_at=NOW, base_at=NOW, next_at=NOW
    )


def script_use() -> ScriptUse:
    talk = facts.Interaction.objects.create(customer=customer(), channel="phone")
    return ScriptUse.objects.create(
        variant=wording(), customer=talk.customer, interaction=talk, channel="phone", at=NOW
    )


def notice() -> Notice:
    return Notice.objects.create(member=member(), kind="row", key=new())


def case() -> risks.Case:
    return risks.Case.objects.create(
        customer=customer(), risk_class="demand", outcome="saved", opened_on=DAY, closed_on=DAY
    )


def playbook() -> risks.Playbook:
    made = risks.Playbook.objects.create(code=new()[-16:], name="Row", is_on=True)
    risks.PlaybookVersion.objects.create(playbook=made, number=1, definition={"steps": [{"code": "ask"}]})
    return made


def playbook_run() -> risks.PlaybookRun:
    book = playbook()
    return risks.PlaybookRun.objects.create(
        playbook=book, version=book.versions.get(), customer=customer(), base_at=NOW, stage="ask", stage_at=NOW,
        next_at=NOW,
    )  # fmt: skip


def win_back() -> risks.WinBack:
    return risks.WinBack.objects.create(
        customer=customer(), last_order_on=DAY, lapsed_on=DAY, orders=1, yearly=1, chance=0.5, expected=1
    )


def win_back_try() -> risks.WinBackTry:
    row = win_back()
    return risks.WinBackTry.objects.create(win_back=row, customer=row.customer, offer="trial")


def incident() -> risks.Incident:
    return risks.Incident.objects.create(
        customer=customer(), number=next(_numbers), title="Row", level="major", policy_version=1, calendar_version=1
    )


def incident_link() -> risks.IncidentLink:
    row = incident()
    reader = facts.Contact.objects.create(customer=row.customer, name=new())
    return risks.IncidentLink.objects.create(incident=row, contact=reader, expires_at=NOW + dt.timedelta(days=1))


def kpi_closing() -> earned.KpiClosing:
    # A week of its own each time: a closed row cannot be changed, nor closed twice.
    start = dt.date(1990, 1, 1) + dt.timedelta(weeks=next(_numbers))
    return earned.KpiClosing.objects.create(span="week", start=start, as_of=DAY, policy_version=1)


ROWS: dict[str, Callable[[], Any]] = {
    "tenants.Team": lambda: house.Team.objects.create(name=new()),
    "tenants.Member": member,
    "tenants.ApiToken": lambda: house.ApiToken.objects.create(
        member=member(), prefix=new(), secret_hash="row", expires_at=NOW
    ),
    "tenants.Event": lambda: house.Event.objects.create(verb="row", object_type="row", object_id=1),
    "tenants.PolicyVersion": lambda: house.PolicyVersion.objects.create(
        number=next(_numbers) + 1000, pack="callback", document={}
    ),
    "tenants.Run": run,
    "tenants.RunStep": lambda: house.RunStep.objects.create(run=run(), ordinal=0, name="row"),
    "tenants.RunPart": lambda: house.RunPart.objects.create(
        step=house.RunStep.objects.create(run=run(), ordinal=1, name="in parts"), ordinal=0, first=0, last=9
    ),
    "customers.Tag": lambda: facts.Tag.objects.create(name=new()),
    "customers.Customer": customer,
    "customers.SearchTerm": lambda: facts.SearchTerm.objects.create(customer=customer(), term=new()),
    "customers.CustomerTag": lambda: facts.CustomerTag.objects.create(
        customer=customer(), tag=facts.Tag.objects.create(name=new())
    ),
    "customers.ExternalId": lambda: facts.ExternalId.objects.create(customer=customer(), source="row", value=new()),
    "customers.Contact": lambda: facts.Contact.objects.create(customer=customer(), name=new()),
    "customers.Product": product,
    "customers.Order": order,
    "customers.OrderLine": lambda: facts.OrderLine.objects.create(
        order=order(), position=1, product=product(), quantity=1, unit_price=1, money=1
    ),
    "customers.Activity": lambda: facts.Activity.objects.create(
        customer=customer(), month=DAY.replace(day=1), orders=1, credit_notes=0, net=Decimal(1), days=1
    ),
    "customers.Interaction": lambda: facts.Interaction.objects.create(customer=customer(), channel="phone"),
    "customers.Complaint": lambda: facts.Complaint.objects.create(customer=customer(), topic="row"),
    "customers.Referral": referral,
    "incentives.Account": account,
    "incentives.Entry": entry,
    "incentives.EntryLine": lambda: earned.EntryLine.objects.filter(entry=entry()).first(),
    "incentives.Reward": reward,
    "incentives.Upgrade": lambda: earned.Upgrade.objects.create(customer=customer(), on=DAY, what="Row"),
    "incentives.Payout": payout,
    "incentives.PayoutItem": lambda: earned.PayoutItem.objects.create(
        payout=payout(), member=member(), amount=1, entry=entry()
    ),
    "incentives.Dispute": dispute,
    "incentives.DisputeMessage": lambda: earned.DisputeMessage.objects.create(
        dispute=dispute(), member=member(), text="Row", key=new()
    ),
    "customers.Evidence": lambda: facts.Evidence.objects.create(customer=customer(), kind="endorsement", on=DAY),
    "customers.SurveyResponse": lambda: facts.SurveyResponse.objects.create(customer=customer(), kind="nps", score=9),
    "customers.Arrival": lambda: facts.Arrival.objects.create(customer=customer()),
    "customers.Import": lambda: facts.Import.objects.create(kind="orders", filename="row", path="row"),
    "customers.ColumnMapping": lambda: facts.ColumnMapping.objects.create(kind="orders", headers=new()),
    "segmentation.Standing": lambda: worth.Standing.objects.create(
        customer=customer(), frequency=1, monetary=Decimal(1), policy_version=1
    ),
    "segmentation.TierChange": lambda: worth.TierChange.objects.create(
        customer=customer(), on=DAY, after="gold", policy_version=1
    ),
    "segmentation.TierPin": lambda: worth.TierPin.objects.create(
        customer=customer(), tier="gold", reason="row", until=DAY
    ),
    "segmentation.LifetimeFit": lambda: worth.LifetimeFit.objects.create(
        as_of=DAY + dt.timedelta(days=next(_numbers)), customers=1, repeaters=0, converged=False, policy_version=1
    ),
    "segmentation.Worth": lambda: worth.Worth.objects.create(
        customer=customer(), valued_on=DAY, repeats=0, policy_version=1
    ),
    "segmentation.SavedSegment": saved_segment,
    "segmentation.SegmentMember": lambda: worth.SegmentMember.objects.create(
        segment=saved_segment(), customer=customer(), joined_on=DAY
    ),
    "segmentation.CrossSellRun": lambda: worth.CrossSellRun.objects.create(
        as_of=DAY + dt.timedelta(days=next(_numbers)), level="category", customers=1, items=1, rules=1, policy_version=1
    ),
    "segmentation.CrossSellRule": lambda: worth.CrossSellRule.objects.create(
        antecedent=new(), consequent=new(), customers=1, followed=1, support=1, confidence=1, lift=1, median_days=1
    ),
    "segmentation.SpecDrift": lambda: worth.SpecDrift.objects.create(
        customer=customer(), ratio=0.5, products=3, since=DAY, policy_version=1
    ),
    "segmentation.SegmentationTally": lambda: worth.SegmentationTally.objects.create(
        figure=new(), member=member(), on=DAY, counted_at=NOW
    ),
    "health.HealthTally": lambda: health.HealthTally.objects.create(
        figure=new(), team=house.Team.objects.create(name=new()), on=DAY, counted_at=NOW
    ),
    "health.BandCount": lambda: health.BandCount.objects.create(
        owner_a=member(),
        band="green",
        customers=1,
        net=1,
        rescored=0,
        week_risen=0,
        week_fallen=0,
        week_dropped=0,
        month_risen=0,
        month_fallen=0,
        month_dropped=0,
    ),
    "health.HealthCount": lambda: health.HealthCount.objects.create(on=DAY, band="green", customers=1, net=1),
    "health.ScoreBasis": lambda: health.ScoreBasis.objects.create(latest=DAY),
    "health.KnownCategory": lambda: health.KnownCategory.objects.create(product=product()),
    "health.Pulse": lambda: health.Pulse.objects.create(
        customer=customer(), member=member(), band="red", reason="price"
    ),
    "health.LapseFit": lambda: health.LapseFit.objects.create(
        as_of=DAY - dt.timedelta(days=next(_numbers)), horizon_days=90, policy_version=1
    ),
    "health.LapseForecast": lambda: health.LapseForecast.objects.create(customer=customer(), policy_version=1),
    "health.BackTest": back_test,
    "health.BackTestCutOff": lambda: health.BackTestCutOff.objects.create(back_test=back_test(), cut_off=DAY),
    "health.HealthScore": lambda: health.HealthScore.objects.create(
        customer=customer(),
        band="none",
        known=0,
        order_days_count=0,
        spend_recent=0,
        spend_before=0,
        categories_recent=0,
        categories_before=0,
        policy_version=1,
    ),
    "health.HealthHistory": lambda: health.HealthHistory.objects.create(customer=customer(), on=DAY, band="none"),
    "followups.FollowUp": lambda: FollowUp.objects.create(
        customer=customer(), kind="light_touch", rule="manual", period="row", due_on=DAY
    ),
    "followups.Script": script,
    "followups.ScriptVariant": wording,
    "followups.ScriptUse": script_use,
    "followups.Journey": journey,
    "followups.Announcement": lambda: Announcement.objects.create(product=product()),
    "followups.Enrolment": enrolment,
    "followups.JourneyStep": lambda: JourneyStep.objects.create(enrolment=enrolment(), code="ask", status="raised"),
    "followups.DutyHolder": lambda: DutyHolder.objects.update_or_create(duty="product", defaults={"member": member()})[
        0
    ],
    "followups.CareWishes": lambda: CareWishes.objects.create(
        contact=facts.Contact.objects.create(customer=customer(), name=new())
    ),
    "followups.CareDay": lambda: CareDay.objects.create(customer=customer(), on=DAY),
    "followups.Absence": lambda: Absence.objects.create(member=member(), first=DAY, last=DAY),
    "followups.CoverMove": lambda: CoverMove.objects.create(
        absence=Absence.objects.create(member=member(), first=DAY, last=DAY),
        follow_up=ROWS["followups.FollowUp"](),
        to=member(),
    ),
    "followups.Message": message,
    "followups.OptOut": lambda: OptOut.objects.create(contact=contact(), channel="email", how="person"),
    "followups.DeadAddress": lambda: DeadAddress.objects.create(channel="email", address=f"{new()}@example.org"),
    "followups.ContactWishes": lambda: ContactWishes.objects.create(contact=contact()),
    "followups.ChannelSetup": lambda: ChannelSetup.objects.create(channel=new()[-10:]),
    "followups.Survey": survey,
    "followups.SurveyLoop": survey_loop,
    "followups.SurveyReason": survey_reason,
    "followups.QualitySample": lambda: QualitySample.objects.create(
        month=dt.date(1990, 1, 1) + dt.timedelta(days=31 * next(_numbers)),
        percent=5,
        contacts=20,
        drawn=1,
        policy_version=1,
    ),
    "followups.QualityReview": quality_review,
    "followups.MysteryVisit": lambda: MysteryVisit.objects.create(
        on=DAY, channel="store", scene="row", score=5, visitor=member()
    ),
    "followups.Notice": notice,
    "followups.NoticeDelivery": lambda: NoticeDelivery.objects.create(
        notice=(told := notice()), member=told.member, way="mail", due_at=NOW
    ),
    "followups.NoticeWish": lambda: NoticeWish.objects.create(member=member(), kind="row", mail="daily", chat=False),
    "followups.NoticeChat": lambda: NoticeChat.objects.create(member=member(), gateway="row", gateway_name="row"),
    "followups.Desk": lambda: Desk.objects.create(member=member(), view="mine"),
    "followups.Bulk": bulk,
    "followups.BulkItem": lambda: BulkItem.objects.create(bulk=bulk(), follow_up=ROWS["followups.FollowUp"]()),
    "followups.CalendarFeed": lambda: CalendarFeed.objects.create(member=member(), prefix=new(), secret_hash="row"),
    "incentives.OwnerChange": lambda: earned.OwnerChange.objects.create(customer=customer(), on=DAY),
    "incentives.TeamChange": lambda: earned.TeamChange.objects.create(member=member(), on=DAY),
    "incentives.MemberJob": lambda: earned.MemberJob.objects.create(member=member(), job="sales", from_on=DAY),
    "incentives.KpiTarget": lambda: earned.KpiTarget.objects.create(kpi="csat", member=member(), target=1, from_on=DAY),
    "incentives.KpiCount": lambda: earned.KpiCount.objects.create(
        span="week", start=DAY, kpi="csat", member=member(), numerator=1, denominator=1
    ),
    "incentives.KpiCounted": lambda: earned.KpiCounted.objects.update_or_create(
        span="week", start=DAY, defaults={"as_of": DAY, "counted_at": NOW}
    )[0],
    "incentives.KpiClosing": kpi_closing,
    "incentives.KpiFrozen": lambda: earned.KpiFrozen.objects.create(
        closing=kpi_closing(), kpi="csat", numerator=1, denominator=1
    ),
    "incentives.KpiCorrection": lambda: earned.KpiCorrection.objects.create(
        closing=kpi_closing(), kpi="csat", numerator=1, denominator=1, numerator_before=0, denominator_before=0
    ),
    "incentives.ClvMark": lambda: earned.ClvMark.objects.create(on=DAY, customer=customer(), clv=1),
    "incentives.AwardUsual": lambda: earned.AwardUsual.objects.create(
        quarter=DAY, share="csat", tier=new(), customers=1, total=1
    ),
    "incentives.AwardRound": award_round,
    "incentives.AwardStanding": lambda: earned.AwardStanding.objects.create(
        round=award_round(), member=member(), why_not="new", facts={"known": 0, "working": 0, "away": 0, "parts": []}
    ),
    "incentives.Medal": lambda: earned.Medal.objects.create(
        month=dt.date(2026, 1, 1),
        kind="case",
        member=member(),
        case_id=1,
        reason=new(),
        team=house.Team.objects.create(name=new()),
    ),
    "incentives.Certification": certification,
    "incentives.CertificationScore": lambda: earned.CertificationScore.objects.create(
        certification=certification(), dimension="knowledge", source="facts", score=80
    ),
    "incentives.Training": training,
    "incentives.TrainingCustomer": lambda: earned.TrainingCustomer.objects.create(
        training=training(), customer=customer()
    ),
    "incentives.PromotionNote": lambda: earned.PromotionNote.objects.create(
        member=member(), first_quarter=DAY, last_quarter=DAY, job="sales", policy_version=1, raised_on=DAY
    ),
    "incentives.Goal": lambda: earned.Goal.objects.create(
        quarter=dt.date(2026, 10, 1), title="Row", kpi="csat", owner=member(), baseline=80, target=90
    ),
    "incentives.Report": lambda: earned.Report.objects.create(
        kind="weekly",
        start=dt.date(1990, 1, 1) + dt.timedelta(days=7 * next(_numbers)),
        as_of=DAY,
        policy_version=1,
        facts=report_facts(),
    ),
    "risk.Alert": lambda: Alert.objects.create(
        customer=customer(),
        signal="order_silence",
        risk_class="demand",
        level="mild",
        period="row",
        opened_on=DAY,
        due_at=NOW,
        policy_version=1,
    ),
    "risk.AlertRepeat": lambda: risks.AlertRepeat.objects.create(
        alert=(alert := ROWS["risk.Alert"]()),
        customer=alert.customer,
        signal="order_silence",
        period="again",
        fired_on=DAY,
        level="mild",
    ),
    "risk.AlertEscalation": lambda: risks.AlertEscalation.objects.create(
        alert=ROWS["risk.Alert"](), step=1, role="lead", due_at=NOW, at=NOW
    ),
    "risk.TopicHolder": lambda: risks.TopicHolder.objects.update_or_create(
        topic="quality", defaults={"member": member()}
    )[0],
    "risk.ComplaintNote": lambda: risks.ComplaintNote.objects.create(
        complaint=facts.Complaint.objects.create(customer=customer(), topic="row"), text="row"
    ),
    "risk.Case": case,
    "risk.CaseTerm": lambda: risks.CaseTerm.objects.create(case=case(), term=new()),
    "risk.Playbook": playbook,
    "risk.PlaybookVersion": lambda: risks.PlaybookVersion.objects.create(
        playbook=playbook(), number=2, definition={"steps": [{"code": "ask"}]}
    ),
    "risk.PlaybookRun": playbook_run,
    "risk.PlaybookStep": lambda: risks.PlaybookStep.objects.create(
        run=playbook_run(), code="ask", status="ahead", begins_at=NOW
    ),
    "risk.WinBack": win_back,
    "risk.WinBackTry": win_back_try,
    "risk.ReturnHistory": lambda: risks.ReturnHistory.objects.update_or_create(defaults={"as_of": DAY})[0],
    "risk.Incident": incident,
    "risk.IncidentClock": lambda: risks.IncidentClock.objects.create(
        incident=incident(), kind="team", target_minutes=30
    ),
    "risk.IncidentPause": lambda: risks.IncidentPause.objects.create(incident=incident(), started_at=NOW, reason="Row"),
    "risk.IncidentSeat": lambda: risks.IncidentSeat.objects.create(incident=incident(), seat="lead", member=member()),
    "risk.IncidentStep": lambda: risks.IncidentStep.objects.create(incident=incident(), position=1, title="Row"),
    "risk.IncidentEntry": lambda: risks.IncidentEntry.objects.create(incident=incident(), text="Row", key=new()),
    "risk.IncidentCompensation": lambda: risks.IncidentCompensation.objects.create(
        incident=incident(), kind="credit", amount=1, needs="team_lead", policy_version=1
    ),
    "risk.IncidentReport": lambda: risks.IncidentReport.objects.create(incident=incident(), language="en"),
    "risk.IncidentLink": incident_link,
}
