"""The API of scripts: the library, its wordings with their results, and a script as it goes to one customer."""

from __future__ import annotations

from typing import Any, ClassVar

import django_filters as filters
from django.db.models import QuerySet
from django.http import Http404
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from customers.models import Contact, Customer
from followups.models import Script, ScriptVariant
from followups.models.scripts import Scene
from followups.scripts import services as scripts
from tenants.api.fields import Moment, Record, Ref, Strict
from tenants.api.resources import Resource
from tenants.api.schema import bodies
from tenants.filters import BooleanFilter, StrictFilterSet, updated_since
from tenants.models import Member


def _customers(member: Member) -> QuerySet[Customer]:
    rows: QuerySet[Customer] = Customer.objects.visible_to(member)
    return rows


def _contacts(member: Member) -> QuerySet[Contact]:
    rows: QuerySet[Contact] = Contact.objects.visible_to(member)
    return rows


class RateSerializer(serializers.Serializer):
    """A share of people with its 95 % interval; the three shares are null where nobody was judged yet."""

    hits = serializers.IntegerField()
    of = serializers.IntegerField()
    share = serializers.FloatField(allow_null=True)
    low = serializers.FloatField(allow_null=True)
    high = serializers.FloatField(allow_null=True)


class WordingSerializer(serializers.Serializer):
    """A wording: language → subject and parts of the outline, and what came of it."""

    id = serializers.CharField(source="variant.pk")
    letter = serializers.CharField(source="variant.letter")
    texts = serializers.JSONField(source="variant.texts")
    retired_at = Moment(source="variant.retired_at", allow_null=True)
    uses = serializers.IntegerField()
    answered = RateSerializer()
    converted = RateSerializer()


class ScriptSerializer(Record):
    """A script: what to say in a scene. Results judge each person once, when the time to answer or order is over."""

    title = serializers.CharField(read_only=True, help_text="What people call it, in the caller's language.")
    wordings = serializers.SerializerMethodField()
    better_by_answers = serializers.SerializerMethodField(help_text="The letter; empty while it is not decided.")
    better_by_orders = serializers.SerializerMethodField(help_text="The letter; empty while it is not decided.")

    class Meta:
        model = Script
        fields = [
            "id", "code", "scene", "name", "title", "channel", "outline", "is_on", "wordings", "better_by_answers",
            "better_by_orders", "created_at", "updated_at",
        ]  # fmt: skip
        read_only_fields: ClassVar[list[str]] = ["created_at", "updated_at"]

    def get_wordings(self, row: Script) -> list[dict[str, Any]]:
        return [dict(each) for each in WordingSerializer(self._results(row).rows, many=True).data]

    def get_better_by_answers(self, row: Script) -> str:
        return self._results(row).by_answer[1]

    def get_better_by_orders(self, row: Script) -> str:
        return self._results(row).by_order[1]

    def _results(self, row: Script) -> scripts.Results:
        # Asked for once for all rows of a page.
        known: dict[int, scripts.Results] = vars(self).setdefault("known", {})
        if row.pk not in known:
            rows = list(self.parent.instance or []) if self.parent is not None else [row]
            known |= scripts.results_of(rows, timezone.now())
        return known[row.pk]


class TextSerializer(Strict):
    """A wording in one language."""

    subject = serializers.CharField(max_length=scripts.SUBJECT_LENGTH, required=False, allow_blank=True)
    parts = serializers.ListField(
        child=serializers.CharField(max_length=scripts.PART_LENGTH), help_text="The parts of the outline, in order."
    )


class NewWordingSerializer(Strict):
    """A wording to add: language (en, zh-hans) → subject and parts."""

    texts = serializers.DictField(child=TextSerializer())


class AskSerializer(Strict):
    """For whom a script is written out."""

    customer = Ref(_customers, {"source": "external_ids__source", "external_id": "external_ids__value"})
    contact = Ref(_contacts, {"source": "source", "external_id": "external_id"}, required=False, allow_null=True)
    language = serializers.ChoiceField(choices=list(scripts.LANGUAGES), required=False)


class RenderedSerializer(serializers.Serializer):
    """A script as it goes to one customer; missing are the fields of which nothing was known."""

    subject = serializers.CharField()
    body = serializers.CharField()
    language = serializers.CharField()
    wording = serializers.CharField(source="variant.letter")
    missing = serializers.ListField(child=serializers.CharField())


class ScriptFilter(StrictFilterSet):
    scene = filters.ChoiceFilter(choices=Scene.choices, label=gettext_lazy("Scene"))
    is_on = BooleanFilter(label=gettext_lazy("In use"))
    updated_since = updated_since()

    class Meta:
        model = Script
        fields: list[str] = []


class ScriptViewSet(Resource):
    """Scripts, with their wordings and what came of them."""

    resource = "scripts"
    queryset: Any = Script.objects
    serializer_class = ScriptSerializer
    filterset_class = ScriptFilter
    permissions: ClassVar[dict[str, str]] = {"rendered": "scripts:read"}

    def visible(self) -> QuerySet[Any]:
        rows: QuerySet[Any] = Script.objects.all()
        return rows

    def detailed(self, rows: QuerySet[Any]) -> QuerySet[Any]:
        return rows.prefetch_related("variants")

    def create(self, request: Request) -> Response:
        """A new script, without a wording yet."""
        row = scripts.save_script(member=self.member, **self._checked(request))
        return self.one(self.get_queryset().get(pk=row.pk), status=201, outcome="created")

    def partial_update(self, request: Request, pk: str) -> Response:
        """JSON merge patch: what is absent stays. Code and, once there are wordings, outline stay too."""
        row = self.get_object()
        before = row.updated_at
        scripts.save_script(member=self.member, script=row, **self._checked(request, merge=True))
        written = self.get_queryset().get(pk=row.pk)
        return self.one(written, outcome="unchanged" if written.updated_at == before else "updated")

    def _checked(self, request: Request, *, merge: bool = False) -> dict[str, Any]:
        reader = ScriptSerializer(data=request.data, context=self.get_serializer_context() | {"merge": merge})
        reader.is_valid(raise_exception=True)
        return dict(reader.validated_data)

    @bodies(request=NewWordingSerializer, responses=ScriptSerializer)
    @action(detail=True, methods=["post"])
    def wordings(self, request: Request, pk: str) -> Response:
        """Add a wording to try; each contact gets one of those in use, always the same."""
        row = self.get_object()
        asked = NewWordingSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        scripts.save_wording(script=row, member=self.member, texts=asked.validated_data["texts"])
        return self.one(self.get_queryset().get(pk=row.pk), status=201, outcome="created")

    @bodies(responses=ScriptSerializer)
    @action(detail=True, methods=["post"], url_path="wordings/(?P<letter>[^/]+)/retire")
    def retire(self, request: Request, pk: str, letter: str) -> Response:
        """Take a wording out of use; its results stay."""
        row = self.get_object()
        variant = ScriptVariant.objects.select_related("script").filter(script=row, letter=letter).first()
        if variant is None:
            raise Http404
        outcome = scripts.retire(variant=variant, member=self.member)
        return self.one(self.get_queryset().get(pk=row.pk), outcome=outcome)

    @bodies(request=AskSerializer, responses=RenderedSerializer)
    @action(detail=True, methods=["post"])
    def rendered(self, request: Request, pk: str) -> Response:
        """The script as it goes to a customer: in the contact's language unless one is asked for."""
        row = self.get_object()
        asked = AskSerializer(data=request.data, context=self.get_serializer_context())
        asked.is_valid(raise_exception=True)
        said = asked.validated_data
        contact = said.get("contact")
        if contact is not None and contact.customer_id != said["customer"].pk:
            words = _("This contact belongs to another customer.")
            raise serializers.ValidationError({"contact": [serializers.ErrorDetail(words, "other_customer")]})
        try:
            text = scripts.render(
                row,
                customer=said["customer"],
                contact=contact,
                member=self.member,
                language=said.get("language") or scripts.language_of(contact),
            )
        except scripts.NothingToSay as nothing:
            raise serializers.ValidationError(
                {"script": [serializers.ErrorDetail(str(nothing), "no_wording")]}
            ) from nothing
        return Response(RenderedSerializer(text).data)
