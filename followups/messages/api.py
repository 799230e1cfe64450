"""The API of messages: send through the governor, see what became of it and why; opt-outs; how a contact stands."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import django_filters as filters
from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from customers.api import NAMED, NAMED_CUSTOMER, customers_of
from customers.models import Channel, Contact
from customers.services import Outcome
from followups.messages import outbox, unsubscribing
from followups.messages.channels import SENT_BY
from followups.messages.filters import MessageFilter
from followups.messages.governor import judge
from followups.messages.outbox import BODY_LENGTH, SUBJECT_LENGTH, queue_message
from followups.messages.whys import TITLES, message_why, verdict_why
from followups.models import Message, OptOut
from followups.rules.governor import WHYS
from tenants.api.fields import Moment, Record, Ref, Strict
from tenants.api.resources import Resource
from tenants.api.schema import bodies
from tenants.filters import IdFilter, StrictFilterSet, updated_since
from tenants.models import Member


def _contacts_of(member: Member) -> QuerySet[Any]:
    rows: QuerySet[Any] = Contact.objects.visible_to(member).select_related("customer")
    return rows


class MessageSerializer(Record):
    """One message to one contact, and what became of it.

    status: queued (goes now), held (goes at due_at), sending, sent, failed, uncertain (may have arrived: it is not sent
    again by itself), bounced, blocked (does not go), cancelled. `why` is a code, `why_words` the same in words.
    """

    customer = Ref(customers_of, NAMED_CUSTOMER, read_only=True)
    contact = serializers.CharField(source="contact_id", read_only=True)
    member = serializers.CharField(source="member_id", read_only=True, allow_null=True)
    follow_up = serializers.CharField(source="follow_up_id", read_only=True, allow_null=True)
    interaction = serializers.CharField(source="interaction_id", read_only=True, allow_null=True)
    why = serializers.ChoiceField(choices=["", *TITLES], read_only=True)
    why_words = serializers.SerializerMethodField(help_text="Why it is not sent, or not yet, in words; else empty.")
    due_at = Moment(read_only=True)
    sent_at = Moment(read_only=True, allow_null=True)
    replied_at = Moment(read_only=True, allow_null=True)
    created_at = Moment(read_only=True)
    updated_at = Moment(read_only=True)

    class Meta:
        model = Message
        fields = [
            "id", "customer", "contact", "channel", "purpose", "origin", "period", "subject", "body", "language",
            "member", "follow_up", "status", "why", "why_words", "due_at", "sent_at", "replied_at", "attempts",
            "address", "answer", "interaction", "policy_version", "created_at", "updated_at",
        ]  # fmt: skip
        read_only_fields = fields

    def get_why_words(self, row: Message) -> str:
        return message_why(row)


class NewMessageSerializer(Strict):
    """A message to a contact. `reference` makes it one: sent again with the same, the first one comes back."""

    contact = Ref(_contacts_of, NAMED)
    channel = serializers.ChoiceField(choices=[(code, label) for code, label in Channel.choices if code in SENT_BY])
    purpose = serializers.ChoiceField(choices=Message.Purpose.choices)
    subject = serializers.CharField(required=False, allow_blank=True, default="", max_length=SUBJECT_LENGTH)
    body = serializers.CharField(max_length=BODY_LENGTH)
    reference = serializers.CharField(max_length=60)
    not_before = Moment(required=False, allow_null=True, default=None)


class VerdictAskSerializer(Strict):
    """Whom one wants to reach, by which channel, what for, and when (now, unless said)."""

    contact = Ref(_contacts_of, NAMED)
    channel = serializers.ChoiceField(choices=Channel.choices)
    purpose = serializers.ChoiceField(choices=Message.Purpose.choices)
    at = Moment(required=False, allow_null=True, default=None)


class VerdictSerializer(serializers.Serializer):
    """What the contact governor says: at once, from a moment on, or not at all; and why."""

    allowed = serializers.BooleanField(help_text="At the moment that was asked for.")
    not_before = Moment(allow_null=True, help_text="When it may be; null: not at all, as things are.")
    why = serializers.ChoiceField(choices=WHYS)
    why_words = serializers.CharField()


class MessageViewSet(Resource):
    """Messages: whatever was to be sent, by whomever."""

    resource = "messages"
    permissions: ClassVar[Mapping[str, str]] = {"verdict": "messages:read"}
    queryset: Any = Message.objects
    serializer_class = MessageSerializer
    filterset_class = MessageFilter
    orderings: ClassVar[tuple[str, ...]] = ("updated_at", "-updated_at", "created_at", "-created_at")
    http_method_names = ["get", "post", "head"]

    def detailed(self, rows: QuerySet[Any]) -> QuerySet[Any]:
        return rows.select_related("customer")

    @bodies(request=NewMessageSerializer, responses=MessageSerializer)
    def create(self, request: Request) -> Response:
        """Have a message sent through the contact governor. 201 also for one that is held or blocked: status says it."""
        asked = NewMessageSerializer(data=request.data, context=self.get_serializer_context())
        asked.is_valid(raise_exception=True)
        said = asked.validated_data
        before = {"origin": "api", "period": said["reference"], "contact": said["contact"], "channel": said["channel"]}
        known = Message.objects.filter(**before).exists()
        message = queue_message(
            customer=said["contact"].customer,
            contact=said["contact"],
            channel=said["channel"],
            purpose=said["purpose"],
            subject=said["subject"],
            body=said["body"],
            origin="api",
            period=said["reference"],
            not_before=said["not_before"],
            member=self.member,
        )
        outcome: Outcome = "unchanged" if known else "created"
        return self.one(self.get_queryset().get(pk=message.pk), status=200 if known else 201, outcome=outcome)

    @bodies(request=VerdictAskSerializer, responses=VerdictSerializer)
    @action(detail=False, methods=["post"])
    def verdict(self, request: Request) -> Response:
        """Ask the governor without sending: may this contact be reached, and if not, why and from when?"""
        asked = VerdictAskSerializer(data=request.data, context=self.get_serializer_context())
        asked.is_valid(raise_exception=True)
        said = asked.validated_data
        verdict = judge(contact=said["contact"], channel=said["channel"], purpose=said["purpose"], at=said["at"])
        words = verdict_why(verdict, said["channel"])
        answer = {
            "allowed": verdict.is_allowed, "not_before": verdict.at, "why": verdict.why, "why_words": words,
        }  # fmt: skip
        return Response(VerdictSerializer(answer).data)

    @bodies(request=None, responses=MessageSerializer)
    @action(detail=True, methods=["post"])
    def cancel(self, request: Request, pk: str) -> Response:
        """Withdraw one that has not gone."""
        return self._after(outbox.cancel(message=self.get_object(), member=self.member))

    @bodies(request=None, responses=MessageSerializer)
    @action(detail=True, methods=["post"])
    def again(self, request: Request, pk: str) -> Response:
        """Send once more what is blocked, failed, came back, was withdrawn or is uncertain."""
        return self._after(outbox.send_again(message=self.get_object(), member=self.member))

    @bodies(request=None, responses=MessageSerializer)
    @action(detail=True, methods=["post"])
    def confirm(self, request: Request, pk: str) -> Response:
        """Say of an uncertain one that it has arrived."""
        return self._after(outbox.confirm_sent(message=self.get_object(), member=self.member))

    def _after(self, row: Message) -> Response:
        return self.one(self.get_queryset().get(pk=row.pk), outcome="updated")


# ── opt-outs ────────────────────────────────────────────────────────────────


class OptOutFilter(StrictFilterSet):
    contact = IdFilter(field_name="contact_id", label=_("Contact"))
    channel = filters.ChoiceFilter(choices=Channel.choices, label=_("Channel"))
    updated_since = updated_since()

    class Meta:
        model = OptOut
        fields: list[str] = []


class OptOutSerializer(Record):
    """A contact who wants to hear nothing by a channel; an empty channel stands for every one."""

    contact = Ref(_contacts_of, NAMED)
    channel = serializers.ChoiceField(choices=["", *Channel.choices], allow_blank=True, default="")
    how = serializers.ChoiceField(choices=OptOut.How.choices, read_only=True)
    note = serializers.CharField(required=False, allow_blank=True, default="", max_length=200)
    created_at = Moment(read_only=True)
    updated_at = Moment(read_only=True)

    class Meta:
        model = OptOut
        fields = ["id", "contact", "channel", "how", "note", "created_at", "updated_at"]


class OptOutViewSet(Resource):
    """Opt-outs: by the link in a mail, as spam, noted by hand, or noted here."""

    resource = "opt-outs"
    permissions: ClassVar[Mapping[str, str]] = {
        "list": "contacts:read", "retrieve": "contacts:read", "create": "contacts:write", "end": "contacts:write",
    }  # fmt: skip
    queryset: Any = OptOut.objects
    serializer_class = OptOutSerializer
    filterset_class = OptOutFilter
    http_method_names = ["get", "post", "head"]

    def detailed(self, rows: QuerySet[Any]) -> QuerySet[Any]:
        return rows.select_related("contact")

    def create(self, request: Request) -> Response:
        """Note that a contact wants to hear nothing by a channel. Noted before: 200."""
        asked = OptOutSerializer(data=request.data, context=self.get_serializer_context())
        asked.is_valid(raise_exception=True)
        said = asked.validated_data
        known = OptOut.objects.filter(contact=said["contact"], channel=said["channel"]).exists()
        row = unsubscribing.opt_out(how=OptOut.How.PERSON, **said)
        outcome: Outcome = "unchanged" if known else "created"
        return self.one(self.get_queryset().get(pk=row.pk), status=200 if known else 201, outcome=outcome)

    @bodies(request=None, responses=OptOutSerializer)
    @action(detail=True, methods=["post"])
    def end(self, request: Request, pk: str) -> Response:
        """Take it back, because the contact has said so; answers with what was."""
        row = self.get_object()
        was = OptOutSerializer(row, context=self.get_serializer_context()).data
        unsubscribing.opt_in(contact=row.contact, channel=row.channel)
        return Response(was)
