"""It: hands each complaint to somebody with four clocks, walks its steps, and tells up the line what is late."""

import datetime as dt

import pytest
from django.core.exceptions import ValidationError

from customers.models import Complaint, Interaction
from customers.services import open_complaint, solve_complaint
from followups.models import DutyHolder, Notice
from risk.complaints import services as complaints
from risk.complaints.repeats import repeated
from risk.models import ComplaintNote, TopicHolder
from risk.rules.complaint_policy import ComplaintPolicy
from tenants.context import tenant_scope
from tenants.models import Event

FRIDAY = dt.datetime(2026, 11, 20, 12, tzinfo=dt.UTC)  # noon in London, open from nine to six
HOUR, DAY = dt.timedelta(hours=1), dt.timedelta(days=1)


@pytest.fixture(autouse=True)
def noon(time_machine):
    time_machine.move_to(FRIDAY, tick=False)
    return time_machine


def opened(customer, topic="Late delivery", **fields):
    made = open_complaint(customer=customer, topic=topic, **({"opened_at": FRIDAY} | fields))
    complaints.route_due(FRIDAY)
    return fresh(made)


def fresh(row):
    return Complaint.objects.select_related("customer", "assignee").get(pk=row.pk)


def test_hands_on_by_what_it_is_about_with_clocks_in_business_time(cast, scope):
    customer = cast.customer()
    DutyHolder.objects.create(duty="after_sales", member=cast.ada)
    late = opened(customer)
    assert (late.kind, late.assignee, late.status) == ("logistics", cast.ada, "open")
    # Six hours are left of Friday, so that eight end on Monday at eleven, and 24 on Tuesday evening.
    assert late.apologise_by == FRIDAY + 2 * HOUR
    assert late.promise_by == dt.datetime(2026, 11, 23, 11, tzinfo=dt.UTC)
    assert late.solve_by == dt.datetime(2026, 11, 24, 18, tzinfo=dt.UTC)
    assert late.due_at == late.apologise_by
    assert Notice.objects.get(member=cast.ada).kind == "complaint_yours"
    serious = opened(customer, "发票金额不对", severity="serious")
    assert (serious.kind, serious.assignee) == ("billing", cast.ann)
    assert serious.apologise_by == FRIDAY + HOUR
    TopicHolder.objects.create(topic="billing", member=cast.lea)
    assert opened(customer, "Wrong price on the invoice").assignee == cast.lea


def test_never_hands_to_somebody_who_does_not_see_the_customer(cast, scope):
    lonely = cast.customer("Lonely", owner_a=cast.bo, owner_b=None)
    TopicHolder.objects.create(topic="logistics", member=cast.ann)
    assert opened(lonely).assignee == cast.bo
    with pytest.raises(ValidationError):
        complaints.hand_to(complaint=opened(lonely), member=cast.lea, kind="quality", assignee=cast.ann)


def test_leaves_alone_what_is_old_solved_or_of_a_closed_customer_and_is_the_same_twice(cast, scope):
    old = open_complaint(customer=cast.customer(), topic="Late", opened_at=FRIDAY - 31 * DAY)
    solved = open_complaint(customer=cast.customer("Two"), topic="Late", opened_at=FRIDAY - DAY)
    solve_complaint(complaint=solved, first_time=True, at=FRIDAY)
    closed = open_complaint(customer=cast.customer("Three", closed_on=FRIDAY.date()), topic="Late", opened_at=FRIDAY)
    assert complaints.route_due(FRIDAY) == 0
    assert [fresh(row).status for row in (old, solved, closed)] == ["open", "closed", "open"]
    assert [fresh(row).due_at for row in (old, solved, closed)] == [None, None, None]
    new = opened(cast.customer("Four"))
    assert complaints.route_due(FRIDAY) == 0
    assert Event.objects.filter(object_type="complaint", object_id=new.pk, verb="handed_on").count() == 1


def test_begins_the_clocks_of_what_came_in_late_when_it_came_in(cast, scope):
    row = opened(cast.customer(), opened_at=FRIDAY - 3 * DAY)
    assert row.apologise_by == FRIDAY + 2 * HOUR


def test_goes_its_four_steps_and_is_solved_the_first_time(cast, scope, noon):
    row = opened(cast.customer())
    complaints.apologise(complaint=row, member=cast.ann, note="We are sorry")
    assert (fresh(row).status, fresh(row).due_at) == ("apologised", row.promise_by)
    until = FRIDAY + 5 * HOUR
    complaints.promise(complaint=row, member=cast.ann, until=until)
    assert (fresh(row).status, fresh(row).due_at, fresh(row).promised_until) == ("promised", until, until)
    complaints.progress(complaint=row, member=cast.ann, text="The lorry is found", is_told=True)
    noon.move_to(FRIDAY + 4 * HOUR, tick=False)
    complaints.solve(complaint=row, member=cast.ann, solution="Delivered by courier")
    # Two hours of Friday, six of Monday.
    assert (fresh(row).status, fresh(row).due_at) == ("solved", dt.datetime(2026, 11, 23, 15, tzinfo=dt.UTC))
    complaints.call_back(complaint=row, member=cast.ann, is_content=True, note="All fine")
    done = fresh(row)
    assert (done.status, done.due_at, done.first_time, done.is_content) == ("closed", None, True, True)
    assert list(ComplaintNote.objects.values_list("text", "is_told")) == [
        ("We are sorry", True), ("The lorry is found", True), ("All fine", True),
    ]  # fmt: skip
    with pytest.raises(ValidationError):
        complaints.progress(complaint=row, member=cast.ann, text="More")
    verbs = Event.objects.filter(object_type="complaint").exclude(verb="noted").order_by("pk")
    assert list(verbs.values_list("verb", flat=True)) == [
        "opened", "handed_on", "apologised", "promised", "solved", "called_back",
    ]  # fmt: skip


def test_opens_again_when_the_customer_is_not_content_and_is_then_not_solved_the_first_time(cast, scope):
    row = opened(cast.customer())
    complaints.solve(complaint=row, member=cast.ann, solution="A new one is sent", first_time=True)
    complaints.call_back(complaint=row, member=cast.ann, is_content=False)
    again = fresh(row)
    assert (again.status, again.solved_at, again.reopened, again.first_time) == ("promised", None, 1, False)
    assert again.due_at == dt.datetime(2026, 11, 24, 18, tzinfo=dt.UTC)
    complaints.solve(complaint=row, member=cast.ann, solution="And another", first_time=True)
    assert fresh(row).first_time is False


def test_refuses_in_words_what_cannot_be(cast, scope):
    row = opened(cast.customer())
    with pytest.raises(ValidationError, match="lies ahead"):
        complaints.promise(complaint=row, member=cast.ann, until=FRIDAY)
    with pytest.raises(ValidationError, match="not solved yet"):
        complaints.call_back(complaint=row, member=cast.ann, is_content=True)
    with pytest.raises(ValidationError, match="how it was solved"):
        complaints.solve(complaint=row, member=cast.ann, solution=" ")
    with pytest.raises(ValidationError, match="before the complaint"):
        complaints.solve(complaint=row, member=cast.ann, solution="Done", at=FRIDAY - DAY)
    with pytest.raises(ValidationError, match="None of its steps"):
        complaints.take_back(complaint=row, member=cast.ann)
    assert fresh(row).status == "open"


def test_takes_back_step_by_step(cast, scope):
    row = opened(cast.customer())
    complaints.promise(complaint=row, member=cast.ann, until=FRIDAY + HOUR)
    complaints.solve(complaint=row, member=cast.ann, solution="Done")
    complaints.call_back(complaint=row, member=cast.ann, is_content=True)
    seen = []
    for _step in range(4):
        complaints.take_back(complaint=row, member=cast.ann)
        seen.append(fresh(row).status)
    assert seen == ["solved", "promised", "apologised", "open"]
    assert fresh(row).due_at == FRIDAY + 2 * HOUR


def test_tells_the_holder_and_the_lead_once_for_each_step_whose_clock_ran_out(cast, scope):
    row = opened(cast.customer(), "Rude service")
    assert row.assignee == cast.lea
    assert complaints.escalate_due(row.due_at - dt.timedelta(seconds=1)) == 0
    assert complaints.escalate_due(row.due_at) == 1
    assert complaints.escalate_due(row.due_at + HOUR) == 0
    late = Notice.objects.filter(kind="complaint_late")
    assert {notice.member for notice in late} == {cast.lea}
    complaints.hand_to(complaint=fresh(row), member=cast.lea, kind="service", assignee=cast.ann)
    complaints.apologise(complaint=row, member=cast.ann)
    assert complaints.escalate_due(fresh(row).due_at) == 1
    assert {notice.member for notice in late.all() if notice.params["step"] == "promise"} == {cast.ann, cast.lea}


def test_sets_the_clock_of_the_call_back_for_what_a_programme_solved(cast, scope):
    row = opened(cast.customer())
    solve_complaint(complaint=row, first_time=True, at=FRIDAY)
    assert (fresh(row).status, fresh(row).due_at) == ("solved", None)
    assert complaints.settle_due(FRIDAY) == 1
    assert fresh(row).due_at == dt.datetime(2026, 11, 23, 11, tzinfo=dt.UTC)
    assert complaints.settle_due(FRIDAY) == 0


def test_counts_the_same_question_until_it_is_solved(cast, scope):
    customer, policy, tomorrow = cast.customer(), ComplaintPolicy(), FRIDAY.date() + DAY

    def asked(days, **fields):
        said = {"direction": "inbound", "channel": "phone", "topic": "Invoice copy", "solved": False} | fields
        Interaction.objects.create(customer=customer, at=FRIDAY - days * DAY, **said)

    asked(95)
    asked(40)
    open_complaint(customer=customer, topic="invoice COPY", opened_at=FRIDAY - 20 * DAY)
    assert repeated([customer.pk], as_of=tomorrow, policy=policy).is_empty()
    asked(3)
    asked(2, direction="outbound")
    asked(2, topic="Another thing")
    row = repeated([customer.pk], as_of=tomorrow, policy=policy).row(0, named=True)
    assert (row["topic"], row["times"]) == ("invoice copy", 3)
    assert (row["first_on"], row["last_on"]) == (dt.date(2026, 10, 11), dt.date(2026, 11, 17))
    asked(1, solved=True)
    assert repeated([customer.pk], as_of=tomorrow, policy=policy).is_empty()


def test_sweeps_firm_by_firm(cast):
    with tenant_scope(cast.tenant):
        made = open_complaint(customer=cast.customer(), topic="Late", opened_at=FRIDAY)
    assert complaints.sweep(cast.tenant) == 1
    assert complaints.sweep(cast.other_tenant) == 0
    with tenant_scope(cast.tenant):
        assert fresh(made).assignee == cast.ann
        assert complaints.waiting_for(cast.ann).count() == 1
        assert complaints.waiting_for(cast.bo).count() == 0
