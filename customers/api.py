"""The API of the facts: customers, contacts, products, orders, interactions, complaints, answers, evidence."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any, ClassVar

from django.contrib.postgres.expressions import ArraySubquery
from django.db import transaction
from django.db.models import OuterRef, Prefetch, QuerySet
from django.db.models.functions import JSONObject
from django.utils.translation import gettext as _
from rest_framework import exceptions, serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from customers import services
from customers.filters import (
    ComplaintFilter,
    ContactFilter,
    CustomerFilter,
    EvidenceFilter,
    InteractionFilter,
    OrderFilter,
    ProductFilter,
    SurveyResponseFilter,
)
from customers.models import (
    DEFAULT_SOURCE,
    Complaint,
    Contact,
    Customer,
    CustomerTag,
    Evidence,
    ExternalId,
    Interaction,
    Order,
    OrderLine,
    Product,
    SurveyResponse,
)
from customers.rules.orders import PRICE_PLACES, QUANTITY_PLACES, RATE_PLACES
from tenants.api.fields import Exact, Moment, Money, Record, Ref, Strict
from tenants.api.resources import Name, Outcome, Resource, WritableResource
from tenants.api.schema import bodies
from tenants.context import current_tenant
from tenants.filters import id_number
from tenants.models import Member
from tenants.permissions import SEES_ALL, Role
from tenants.querysets import last_night


def customers_of(member: Member) -> QuerySet[Any]:
    """The customers that a member may refer to: those they see."""
    rows: QuerySet[Any] = Customer.objects.visible_to(member)
    return rows


def _contacts_of(member: Member) -> QuerySet[Any]:
    rows: QuerySet[Any] = Contact.objects.visible_to(member)
    return rows


def _orders_of(member: Member) -> QuerySet[Any]:
    rows: QuerySet[Any] = Order.objects.visible_to(member)
    return rows


def _complaints_of(member: Member) -> QuerySet[Any]:
    rows: QuerySet[Any] = Complaint.objects.visible_to(member)
    return rows


def colleagues(_member: Member) -> QuerySet[Any]:
    """The members that a member may refer to: all active ones."""
    rows: QuerySet[Any] = Member.objects.filter(is_active=True)
    return rows


def _by(member: Member, fields: dict[str, Any]) -> dict[str, Any]:
    """Fields of what somebody did: a person who writes it down did it, unless they say who did."""
    return fields if member.role == Role.INTEGRATION else {"member": member, **fields}


NAMED: Mapping[str, str] = {"source": "source", "external_id": "external_id"}
NAMED_CUSTOMER: Mapping[str, str] = {"source": "external_ids__source", "external_id": "external_ids__value"}
NAMED_MEMBER: Mapping[str, str] = {"email": "user__email__iexact"}


class ScoredFacts(WritableResource):
    """Facts that a customer's health rests on: those of a batch are noted at its end, all at once."""

    def write_batch(self, write: Callable[[], None], rows: Iterable[dict[str, Any]]) -> None:
        with services.arrivals_last():
            write()


# ── customers ───────────────────────────────────────────────────────────────


def with_external_ids(rows: QuerySet[Any], customer: str = "customer_id") -> QuerySet[Any]:
    """`rows` with all names of their customer as `names`, in the same query."""
    found = ExternalId.objects.filter(customer=OuterRef(customer)).order_by("source", "value")
    return rows.annotate(names=ArraySubquery(found.values(name=JSONObject(source="source", external_id="value"))))


class ExternalIdSerializer(Strict, serializers.ModelSerializer):
    """What another system calls the customer."""

    external_id = serializers.CharField(source="value", max_length=100)

    class Meta:
        model = ExternalId
        fields = ["source", "external_id"]


class ExternalIdsField(serializers.ListField):
    """Names in other systems."""

    child = ExternalIdSerializer()

    def get_attribute(self, instance: Any) -> Any:
        return instance.names

    def to_representation(self, value: Any) -> Any:
        return value


class OfCustomerSerializer(serializers.ModelSerializer):
    """A derived row of one customer, which is named by its id and by what other systems call it."""

    customer = serializers.CharField(source="customer_id", read_only=True)
    external_ids = ExternalIdsField(read_only=True)


class TagsField(serializers.ListField):
    """All tags by name; those that are new are made."""

    child = serializers.CharField(max_length=40)

    def get_attribute(self, instance: Any) -> Any:
        return instance.tag_names


class CustomerSerializer(Record):
    """A customer. External ids that are sent are added to those it has; tags take the place of all tags."""

    owner_a = Ref(colleagues, NAMED_MEMBER, required=False, allow_null=True)
    owner_b = Ref(colleagues, NAMED_MEMBER, required=False, allow_null=True)
    tags = TagsField(required=False, max_length=50)
    external_ids = ExternalIdsField(required=False, max_length=20)

    class Meta:
        model = Customer
        fields = [
            "id", "name", "country", "city", "industry", "industry_position", "growth_potential", "owner_a", "owner_b",
            "tags", "external_ids", "since", "closed_on", "note", "created_at", "updated_at",
        ]  # fmt: skip


class OfTheNight(Resource):
    """What the night has made of each customer, read only; the address has the customer's id.

    Serializers find the night's day as `as_of` in their context, None before the first one.
    """

    orderings: ClassVar[tuple[str, ...]] = ("customer_id", "-customer_id")
    key = "customer_id"
    lookup_url_kwarg = "customer"

    def detailed(self, rows: QuerySet[Any]) -> QuerySet[Any]:
        return with_external_ids(rows)

    @property
    def as_of(self) -> dt.date | None:
        """The day of the last night; None before the first, and while the schema is drawn."""
        night = last_night() if self.member_or_none else None
        return night.for_date if night else None

    def get_serializer_context(self) -> dict[str, Any]:
        return super().get_serializer_context() | {"as_of": self.as_of}


class CustomerViewSet(ScoredFacts):
    """Customers."""

    resource = "customers"
    queryset: Any = Customer.objects
    serializer_class = CustomerSerializer
    filterset_class = CustomerFilter
    orderings: ClassVar[tuple[str, ...]] = ("updated_at", "-updated_at", "name", "-name")
    columns: ClassVar[Mapping[str, str]] = {"name": "search_name"}

    def detailed(self, rows: QuerySet[Any]) -> QuerySet[Any]:
        tags = CustomerTag.objects.filter(customer=OuterRef("pk")).order_by("tag__name").values("tag__name")
        return with_external_ids(rows.annotate(tag_names=ArraySubquery(tags)), "pk")

    def rows_called(self, names: Collection[Name]) -> dict[Name, Any]:
        rows = ExternalId.objects.filter(services.any_of(names)).select_related("customer") if names else ()
        return {(row.source, row.value): row.customer for row in rows}

    def create_row(self, fields: dict[str, Any]) -> Customer:
        return services.create_customer(**self._named(fields), **self._owners(fields, None))

    def patch_row(self, row: Any, fields: dict[str, Any]) -> Outcome:
        owners = self._owners(fields, row)
        if not owners:
            return services.patch_customer(customer=row, **self._named(fields))
        with transaction.atomic():
            outcome = services.patch_customer(customer=row, **self._named(fields))
            return self._hand_over(row, owners, outcome)

    def upsert_row(self, source: str, external_id: str, fields: dict[str, Any]) -> tuple[Customer, Outcome]:
        owners = self._owners(fields, None)
        return services.upsert_customer(source=source, external_id=external_id, **self._named(fields), **owners)

    @bodies(request=ExternalIdSerializer, responses=CustomerSerializer)
    @action(detail=True, methods=["post"], url_path="external-ids")
    def external_ids(self, request: Request, pk: str) -> Response:
        """Remember what another system calls the customer."""
        row = self.get_object()
        name = ExternalIdSerializer(data=request.data, context=self.get_serializer_context())
        name.is_valid(raise_exception=True)
        outcome = services.add_external_id(
            customer=row, source=name.validated_data["source"], external_id=name.validated_data["value"]
        )
        return self.one(self.get_queryset().get(pk=row.pk), outcome=outcome)

    @staticmethod
    def _named(fields: dict[str, Any]) -> dict[str, Any]:
        """The fields for the services, without the owners."""
        plain = {name: value for name, value in fields.items() if name not in {"owner_a", "owner_b"}}
        plain["external_ids"] = [(each["source"], each["value"]) for each in fields.get("external_ids", ())]
        return plain

    def _owners(self, fields: dict[str, Any], row: Customer | None) -> dict[str, Any]:
        """The owners to set. Whoever sees only their own customers owns what they make and hands nothing on.

        Raises ValidationError otherwise.
        """
        given: dict[str, Any] = {name: fields[name] for name in ("owner_a", "owner_b") if name in fields}
        if self.member.role in SEES_ALL or self.member.can("follow-ups:assign"):
            return given
        now: dict[str, Any] = (
            {"owner_a": self.member, "owner_b": None} if row is None else {n: getattr(row, n) for n in given}
        )
        words = exceptions.ErrorDetail(_("Your role does not change owners."), "forbidden")
        wrong: dict[str, Any] = {name: [words] for name, owner in given.items() if owner != now[name]}
        if wrong:
            raise serializers.ValidationError(wrong)
        return now

    def _hand_over(self, row: Customer, owners: dict[str, Any], outcome: Outcome) -> Outcome:
        changed = {name: owner for name, owner in owners.items() if owner != getattr(row, name)}
        if not changed:
            return outcome
        self.hand_over(row, changed)
        return "updated"

    def hand_over(self, customer: Customer, owners: dict[str, Any]) -> None:
        """Give the customer these owners; followups.api moves what they have to do as well."""
        services.set_owners(customer=customer, **owners)


# ── contacts ────────────────────────────────────────────────────────────────


class ContactSerializer(Record):
    """A person at a customer."""

    customer = Ref(customers_of, NAMED_CUSTOMER)

    class Meta:
        model = Contact
        fields = [
            "id", "customer", "source", "external_id", "name", "title", "email", "phone", "wechat", "birthday",
            "channel", "language", "consent", "consent_on", "is_main", "left_on", "created_at", "updated_at",
        ]  # fmt: skip


class ContactViewSet(WritableResource):
    """People at customers."""

    resource = "contacts"
    queryset: Any = Contact.objects
    serializer_class = ContactSerializer
    filterset_class = ContactFilter

    def create_row(self, fields: dict[str, Any]) -> Contact:
        return services.save_contact(**fields)[0]

    def patch_row(self, row: Any, fields: dict[str, Any]) -> Outcome:
        return services.save_contact(contact=row, **fields)[1]

    def upsert_row(self, source: str, external_id: str, fields: dict[str, Any]) -> tuple[Contact, Outcome]:
        return services.upsert_contact(source=source, external_id=external_id, **fields)


# ── products ────────────────────────────────────────────────────────────────


class ProductSerializer(Record):
    """An article."""

    class Meta:
        model = Product
        fields = ["id", "source", "external_id", "name", "category", "created_at", "updated_at"]


class ProductViewSet(WritableResource):
    """Articles."""

    resource = "products"
    queryset: Any = Product.objects
    serializer_class = ProductSerializer
    filterset_class = ProductFilter
    keeps_name = True

    def visible(self) -> QuerySet[Any]:
        rows: QuerySet[Any] = Product.objects.all()
        return rows

    def create_row(self, fields: dict[str, Any]) -> Product:
        return services.create_product(**fields)

    def patch_row(self, row: Any, fields: dict[str, Any]) -> Outcome:
        return services.patch_product(product=row, **fields)

    def upsert_row(self, source: str, external_id: str, fields: dict[str, Any]) -> tuple[Product, Outcome]:
        return services.upsert_product(source=source, external_id=external_id, **fields)


# ── orders ──────────────────────────────────────────────────────────────────


_ARTICLE = ("source", "external_id", "name", "category")


class ArticleSerializer(Strict):
    """An article by what a system calls it; one that is not known yet is made, with this name and category."""

    source = serializers.CharField(max_length=30, required=False)  # type: ignore[assignment]  # a field of that name
    external_id = serializers.CharField(max_length=100)
    name = serializers.CharField(max_length=200, required=False, allow_blank=True)
    category = serializers.CharField(max_length=80, required=False, allow_blank=True)


class ArticleField(Ref):
    """The article of a line: its id, or its name in another system."""

    optional = frozenset({"source", "name", "category"})

    def __init__(self, **kwargs: Any) -> None:
        # The lines of an order are looked up together, by the service.
        super().__init__(lambda _member: Product.objects.none(), dict.fromkeys(_ARTICLE, ""), **kwargs)

    def to_internal_value(self, data: Any) -> services.Article | int:
        if isinstance(data, str):
            number = id_number(data)
            if number is None:
                raise serializers.ValidationError(_("There is no such product."), code="not_found")
            return number
        if not isinstance(data, Mapping):
            self.refuse_form()
        article = ArticleSerializer(data=data, context=self.context)
        article.is_valid(raise_exception=True)
        named = {"source": self.context.get("source") or DEFAULT_SOURCE, **article.validated_data}
        return services.Article(**named)


class LineSerializer(Strict, serializers.ModelSerializer):
    """A line of an order: an article, how many, at what price in the order's currency."""

    product = ArticleField()
    product_external_id = serializers.CharField(source="product.external_id", read_only=True)
    product_name = serializers.CharField(source="product.name", read_only=True)
    quantity = Exact(max_digits=14, decimal_places=QUANTITY_PLACES)
    unit_price = Exact(max_digits=15, decimal_places=PRICE_PLACES)
    money = Money(read_only=True)

    class Meta:
        model = OrderLine
        fields = ["position", "product", "product_external_id", "product_name", "quantity", "unit_price", "money"]
        read_only_fields = ["position"]

    def to_internal_value(self, data: Any) -> services.Line:
        return services.Line(**super().to_internal_value(data))


class OrderSerializer(Record):
    """An order or a credit note with its lines.

    Lines are in the order's currency; net is in the firm's (net_currency). An order in another currency needs
    its rate. Lines that are sent take the place of all lines.
    """

    customer = Ref(customers_of, NAMED_CUSTOMER)
    kind = serializers.ChoiceField(
        choices=Order.Kind.choices, required=False, help_text="Left out: a credit note when net is negative."
    )
    currency = serializers.CharField(max_length=3, min_length=3, required=False, help_text="Left out: the firm's own.")
    rate = Exact(max_digits=14, decimal_places=RATE_PLACES, required=False)
    net = Money(read_only=True)
    net_currency = serializers.SerializerMethodField()
    lines = LineSerializer(many=True, min_length=1, max_length=5_000)  # type: ignore[call-arg]  # ListSerializer's

    class Meta:
        model = Order
        fields = [
            "id", "customer", "source", "external_id", "kind", "status", "placed_at", "placed_on", "currency", "rate",
            "net", "net_currency", "due_on", "paid_on", "lines", "created_at", "updated_at",
        ]  # fmt: skip

    def get_net_currency(self, order: Order) -> str:
        return current_tenant().currency


class OrderViewSet(WritableResource):
    """Orders and credit notes."""

    resource = "orders"
    queryset: Any = Order.objects
    serializer_class = OrderSerializer
    filterset_class = OrderFilter
    keeps_name = True
    orderings: ClassVar[tuple[str, ...]] = ("updated_at", "-updated_at", "placed_on", "-placed_on")

    def detailed(self, rows: QuerySet[Any]) -> QuerySet[Any]:
        return rows.prefetch_related(Prefetch("lines", OrderLine.objects.select_related("product")))

    def create_row(self, fields: dict[str, Any]) -> Order:
        return services.create_order(**fields)

    def patch_row(self, row: Any, fields: dict[str, Any]) -> Outcome:
        return services.patch_order(order=row, **fields)

    def upsert_row(self, source: str, external_id: str, fields: dict[str, Any]) -> tuple[Order, Outcome]:
        return services.upsert_order(source=source, external_id=external_id, **fields)

    def write_batch(self, write: Callable[[], None], rows: Iterable[dict[str, Any]]) -> None:
        with services.many_orders(row["customer"].pk for row in rows if "customer" in row):
            write()


# ── interactions ────────────────────────────────────────────────────────────


class InteractionSerializer(Record):
    """A contact with a customer: who spoke to whom, how, about what."""

    customer = Ref(customers_of, NAMED_CUSTOMER)
    contact = Ref(_contacts_of, NAMED, required=False, allow_null=True)
    member = Ref(colleagues, NAMED_MEMBER, required=False, allow_null=True)

    class Meta:
        model = Interaction
        fields = [
            "id", "customer", "contact", "member", "source", "external_id", "at", "channel", "direction", "kind",
            "topic", "answered", "solved", "about_competitor", "leaving", "note", "created_at", "updated_at",
        ]  # fmt: skip


class InteractionViewSet(ScoredFacts):
    """Contacts with customers."""

    resource = "interactions"
    queryset: Any = Interaction.objects
    serializer_class = InteractionSerializer
    filterset_class = InteractionFilter
    orderings: ClassVar[tuple[str, ...]] = ("updated_at", "-updated_at", "at", "-at")

    def create_row(self, fields: dict[str, Any]) -> Interaction:
        return services.log_interaction(**_by(self.member, fields))

    def patch_row(self, row: Any, fields: dict[str, Any]) -> Outcome:
        return services.patch_interaction(interaction=row, **fields)

    def upsert_row(self, source: str, external_id: str, fields: dict[str, Any]) -> tuple[Interaction, Outcome]:
        return services.upsert_interaction(source=source, external_id=external_id, **_by(self.member, fields))


# ── complaints ──────────────────────────────────────────────────────────────


class ComplaintSerializer(Record):
    """Something that went wrong for a customer."""

    customer = Ref(customers_of, NAMED_CUSTOMER)
    order = Ref(_orders_of, NAMED, required=False, allow_null=True)

    class Meta:
        model = Complaint
        fields = [
            "id", "customer", "order", "source", "external_id", "opened_at", "topic", "severity", "text", "solved_at",
            "first_time", "created_at", "updated_at",
        ]  # fmt: skip


class SolveSerializer(Strict):
    """How a complaint was solved."""

    solved_at = Moment(required=False, help_text="Left out: now.")
    first_time = serializers.BooleanField(required=False, allow_null=True, help_text="Whether it took one try.")
    solution = serializers.CharField(required=False, max_length=4000, help_text="How, as the customer was told.")


class ComplaintViewSet(ScoredFacts):
    """Complaints."""

    resource = "complaints"
    queryset: Any = Complaint.objects
    serializer_class = ComplaintSerializer
    filterset_class = ComplaintFilter

    def create_row(self, fields: dict[str, Any]) -> Complaint:
        return services.open_complaint(**fields)

    def patch_row(self, row: Any, fields: dict[str, Any]) -> Outcome:
        return services.patch_complaint(complaint=row, **fields)

    def upsert_row(self, source: str, external_id: str, fields: dict[str, Any]) -> tuple[Complaint, Outcome]:
        return services.upsert_complaint(source=source, external_id=external_id, **fields)

    @bodies(request=SolveSerializer, responses=ComplaintSerializer)
    @action(detail=True, methods=["post"])
    def solve(self, request: Request, pk: str) -> Response:
        """Note that the complaint is solved."""
        row = self.get_object()
        how = SolveSerializer(data=request.data, context=self.get_serializer_context())
        how.is_valid(raise_exception=True)
        outcome = self.solve_row(row, how.validated_data)
        return self.one(self.get_queryset().get(pk=row.pk), outcome=outcome)

    def solve_row(self, row: Complaint, how: Mapping[str, Any]) -> Outcome:
        """Note that a complaint is solved."""
        return services.solve_complaint(complaint=row, at=how.get("solved_at"), first_time=how.get("first_time"))


# ── survey responses ────────────────────────────────────────────────────────


class SurveyResponseSerializer(Record):
    """What a customer answered: NPS from 0 to 10, CSAT from 1 to 5.

    Of NPS the latest answer of each contact counts; `complaint` is the one whose solution was asked about.
    """

    customer = Ref(customers_of, NAMED_CUSTOMER)
    contact = Ref(_contacts_of, NAMED, required=False, allow_null=True)
    complaint = Ref(_complaints_of, NAMED, required=False, allow_null=True)
    score = serializers.IntegerField(min_value=0, max_value=10, help_text="NPS 0 to 10, CSAT 1 to 5.")

    class Meta:
        model = SurveyResponse
        fields = [
            "id", "customer", "contact", "complaint", "source", "external_id", "kind", "score", "at", "text",
            "created_at", "updated_at",
        ]  # fmt: skip


class SurveyResponseViewSet(ScoredFacts):
    """Answers of customers: how likely they are to recommend us, how content they were."""

    resource = "survey-responses"
    queryset: Any = SurveyResponse.objects
    serializer_class = SurveyResponseSerializer
    filterset_class = SurveyResponseFilter
    orderings: ClassVar[tuple[str, ...]] = ("updated_at", "-updated_at", "at", "-at")

    def create_row(self, fields: dict[str, Any]) -> SurveyResponse:
        return services.add_survey_response(**fields)

    def patch_row(self, row: Any, fields: dict[str, Any]) -> Outcome:
        return services.patch_survey_response(response=row, **fields)

    def upsert_row(self, source: str, external_id: str, fields: dict[str, Any]) -> tuple[SurveyResponse, Outcome]:
        return services.upsert_survey_response(source=source, external_id=external_id, **fields)


# ── evidence ────────────────────────────────────────────────────────────────


class EvidenceSerializer(Record):
    """What shows that a customer is worth more than its money; `referred` is who came of a referral."""

    customer = Ref(customers_of, NAMED_CUSTOMER)
    referred = Ref(customers_of, NAMED_CUSTOMER, required=False, allow_null=True)
    member = Ref(colleagues, NAMED_MEMBER, required=False, allow_null=True)

    class Meta:
        model = Evidence
        fields = [
            "id", "customer", "source", "external_id", "kind", "on", "note", "referred", "member", "created_at",
            "updated_at",
        ]  # fmt: skip


class EvidenceViewSet(WritableResource):
    """Evidence of indirect and strategic value: referrals, endorsements, benchmark customers and the like."""

    resource = "evidence"
    queryset: Any = Evidence.objects
    serializer_class = EvidenceSerializer
    filterset_class = EvidenceFilter
    orderings: ClassVar[tuple[str, ...]] = ("updated_at", "-updated_at", "on", "-on")

    def create_row(self, fields: dict[str, Any]) -> Evidence:
        return services.add_evidence(**_by(self.member, fields))

    def patch_row(self, row: Any, fields: dict[str, Any]) -> Outcome:
        return services.change_evidence(evidence=row, **fields)

    def upsert_row(self, source: str, external_id: str, fields: dict[str, Any]) -> tuple[Evidence, Outcome]:
        return services.upsert_evidence(source=source, external_id=external_id, **_by(self.member, fields))

    @bodies(responses={204: None})
    @action(detail=True, methods=["post"], url_path="delete")
    def remove(self, request: Request, pk: str) -> Response:
        """Take evidence back that turned out to be wrong."""
        services.delete_evidence(evidence=self.get_object())
        return Response(status=204)
