"""The facts: who the customers are, what they ordered, what was said, what went wrong, who paid when."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any, ClassVar

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models.functions import Lower, Reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext, pgettext_lazy

from customers.imports.problems import ImportProblem
from customers.querysets import CustomerQuerySet, OfCustomerQuerySet
from customers.rules.search import LONGEST
from customers.rules.surveys import nps_group
from customers.terms import note_names
from tenants.base import FixedPointField, MoneyField, TenantForeignKey, TenantModel, implied_tenant, manager
from tenants.models import Member

DEFAULT_SOURCE = "import"


class Channel(models.TextChoices):
    PHONE = "phone", _("Phone")
    VISIT = "visit", _("Visit")
    WECHAT = "wechat", _("WeChat")
    SMS = "sms", _("SMS")
    EMAIL = "email", _("E-mail")
    APP = "app", _("App")
    STORE = "store", _("Store")


class TouchKind(models.TextChoices):
    """What a contact was for; the cadence counts each kind by itself."""

    DEEP_TALK = "deep_talk", _("Deep talk")
    LIGHT_TOUCH = "light_touch", _("Light touch")
    REVIEW = "review", _("Review meeting")
    REPORT = "report", _("Report")
    MESSAGE = "message", _("Automatic message")


class Growth(models.TextChoices):
    """How much more a customer could buy, as a person sees it."""

    UNKNOWN = "", pgettext_lazy("growth", "not known")
    LOW = "low", pgettext_lazy("growth", "low")
    MEDIUM = "medium", pgettext_lazy("growth", "medium")
    HIGH = "high", pgettext_lazy("growth", "high")


class Tag(TenantModel):
    """A word that people put on customers."""

    name = models.CharField(_("name"), max_length=40)

    class Meta(TenantModel.Meta):
        ordering: ClassVar[list[str]] = ["name"]
        constraints: ClassVar[list[Any]] = [models.UniqueConstraint("tenant", "name", name="tag_name_uniq")]

    def __str__(self) -> str:
        return self.name


class Customer(TenantModel):
    """A firm or person that buys, with an A owner who looks after it and a B owner who covers."""

    name = models.CharField(_("name"), max_length=200)
    # Lower case, for the list's order and the beginning of the name; kept by save(), as are the terms of a search.
    # Byte by byte: the beginning of a text is then a range of the index in whatever language the database sorts.
    search_name = models.CharField(max_length=200, editable=False, db_collation="C")
    country = models.CharField(_("country"), max_length=60, blank=True)
    city = models.CharField(_("city"), max_length=80, blank=True)
    industry = models.CharField(_("industry"), max_length=80, blank=True)
    owner_a = TenantForeignKey(
        Member, models.PROTECT, null=True, blank=True, related_name="owned_customers", verbose_name=_("A owner")
    )
    owner_b = TenantForeignKey(
        Member, models.PROTECT, null=True, blank=True, related_name="covered_customers", verbose_name=_("B owner")
    )
    tags = models.ManyToManyField(Tag, through="CustomerTag", blank=True, verbose_name=_("tags"))
    # The potential, as a person sees it: the place in its industry, and how much more it could buy.
    industry_position = models.PositiveSmallIntegerField(
        _("industry position"), null=True, blank=True, validators=[MinValueValidator(1), MaxValueValidator(5)],
        help_text=_("1 to 5; 5 leads its industry."),
    )  # fmt: skip
    growth_potential = models.CharField(
        _("growth potential"), max_length=6, choices=Growth.choices, blank=True, default="", db_default=""
    )
    since = models.DateField(_("customer since"), null=True, blank=True)
    closed_on = models.DateField(_("closed on"), null=True, blank=True)
    note = models.TextField(_("note"), blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    objects: ClassVar[Any] = manager(CustomerQuerySet)

    class Meta(TenantModel.Meta):
        indexes: ClassVar[list[Any]] = [
            # The list in its own order, page by page; and search by the beginning of the name.
            models.Index(fields=["tenant", "search_name", "id"], name="customer_by_name"),
            # The list of a country, and which countries there are.
            models.Index(fields=["tenant", "country", "id"], name="customer_by_country"),
            # Lists of the API, and `updated_since`.
            models.Index(fields=["tenant", "updated_at", "id"], name="customer_by_update"),
            # Whose a customer is, without the customer: how many somebody owns or covers, and which (tenants.lists).
            models.Index(fields=["tenant", "owner_a", "id"], name="customer_owned"),
            models.Index(
                fields=["tenant", "owner_b", "id"],
                include=["owner_a"],
                name="customer_covered",
                condition=models.Q(owner_b__isnull=False),
            ),
            # Whom the night leaves out.
            models.Index(fields=["tenant", "id"], name="customer_closed", condition=models.Q(closed_on__isnull=False)),
        ]

    def __str__(self) -> str:
        return self.name

    def save(self, *args: Any, **kwargs: Any) -> None:
        self.search_name = self.name.lower()
        if (fields := kwargs.get("update_fields")) is not None and "name" in fields:
            kwargs["update_fields"] = {*fields, "search_name"}
        is_new = self._state.adding
        super().save(*args, **kwargs)
        if is_new or fields is None or "name" in fields:
            note_names({self.pk: self.name}, new=is_new)


class SearchTerm(TenantModel):
    """A term by whose beginning a customer's name is found (rules/search.py), kept by every writer of names.

    Numbers, e-mail addresses and phones are found in their own tables (customers.search).
    """

    tenant = implied_tenant()
    pk = models.CompositePrimaryKey("tenant_id", "term", "customer_id")
    term = models.CharField(max_length=LONGEST, db_collation="C")
    customer = TenantForeignKey(Customer, models.CASCADE, related_name="search_terms")

    class Meta(TenantModel.Meta):
        pass


class CustomerTag(TenantModel):
    customer = TenantForeignKey(Customer, models.CASCADE)
    tag = TenantForeignKey(Tag, models.CASCADE)

    class Meta(TenantModel.Meta):
        constraints: ClassVar[list[Any]] = [
            models.UniqueConstraint("tenant", "customer", "tag", name="customer_tag_uniq")
        ]


class ExternalId(TenantModel):
    """What another system calls a customer: one name per source, several sources per customer."""

    tenant = implied_tenant()
    customer = TenantForeignKey(Customer, models.CASCADE, related_name="external_ids")
    source = models.CharField(_("source"), max_length=30)
    value = models.CharField(_("external id"), max_length=100)
    # For search, whatever its case.
    lookup = models.GeneratedField(
        expression=Lower("value"), output_field=models.CharField(max_length=100, db_collation="C"), db_persist=True
    )

    class Meta(TenantModel.Meta):
        ordering: ClassVar[list[str]] = ["source", "value"]
        constraints: ClassVar[list[Any]] = [
            models.UniqueConstraint("tenant", "source", "value", name="external_id_uniq")
        ]
        indexes: ClassVar[list[Any]] = [
            # Search by a number in another system, whichever.
            models.Index(fields=["tenant", "lookup", "customer"], name="external_id_lookup")
        ]

    def __str__(self) -> str:
        return f"{self.source}:{self.value}"


class Contact(TenantModel):
    """A person at a customer, with what they like and what they agreed to."""

    class Consent(models.TextChoices):
        UNKNOWN = "unknown", _("not asked")
        GIVEN = "given", _("given")
        WITHDRAWN = "withdrawn", _("withdrawn")

    customer = TenantForeignKey(Customer, models.CASCADE, related_name="contacts", verbose_name=_("customer"))
    source = models.CharField(max_length=30, default=DEFAULT_SOURCE)
    external_id = models.CharField(_("external id"), max_length=100, blank=True)
    name = models.CharField(_("name"), max_length=120)
    title = models.CharField(_("position"), max_length=80, blank=True)
    email = models.EmailField(_("e-mail address"), blank=True)
    phone = models.CharField(_("phone"), max_length=40, blank=True)
    wechat = models.CharField(_("WeChat"), max_length=60, blank=True)
    birthday = models.DateField(_("birthday"), null=True, blank=True)
    channel = models.CharField(_("preferred channel"), max_length=10, choices=Channel.choices, blank=True)
    language = models.CharField(_("language"), max_length=10, blank=True)
    consent = models.CharField(_("consent"), max_length=10, choices=Consent.choices, default=Consent.UNKNOWN)
    consent_on = models.DateField(_("consent asked on"), null=True, blank=True)
    is_main = models.BooleanField(_("first to ask"), default=False)
    left_on = models.DateField(_("left on"), null=True, blank=True)
    # For search: by the beginning of name and address, and by the last digits, whether the country is said or not.
    name_lookup = models.GeneratedField(
        expression=Lower("name"), output_field=models.CharField(max_length=120, db_collation="C"), db_persist=True
    )
    email_lookup = models.GeneratedField(
        expression=Lower("email"), output_field=models.CharField(max_length=254, db_collation="C"), db_persist=True
    )
    phone_lookup = models.GeneratedField(
        expression=Reverse(
            models.Func(
                models.F("phone"),
                models.Value("[^0-9]"),
                models.Value(""),
                models.Value("g"),
                function="regexp_replace",
            )
        ),
        output_field=models.CharField(max_length=40, db_collation="C"),
        db_persist=True,
    )
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    objects: ClassVar[Any] = manager(OfCustomerQuerySet)

    class Meta(TenantModel.Meta):
        constraints: ClassVar[list[Any]] = [
            models.UniqueConstraint(
                "tenant", "source", "external_id", name="contact_external_id_uniq", condition=~models.Q(external_id="")
            )
        ]
        indexes: ClassVar[list[Any]] = [
            models.Index(fields=["tenant", "updated_at", "id"], name="contact_by_update"),
            # Search by name, by e-mail address and by phone; many contacts have none of these two.
            models.Index(fields=["tenant", "name_lookup"], name="contact_by_name"),
            models.Index(
                fields=["tenant", "email_lookup"], name="contact_by_email", condition=~models.Q(email_lookup="")
            ),
            models.Index(
                fields=["tenant", "phone_lookup"], name="contact_by_phone", condition=~models.Q(phone_lookup="")
            ),
        ]

    def __str__(self) -> str:
        return self.name


class Product(TenantModel):
    """An article; one without a category counts as a category of its own."""

    source = models.CharField(max_length=30, default=DEFAULT_SOURCE)
    external_id = models.CharField(_("external id"), max_length=100)
    name = models.CharField(_("name"), max_length=200, blank=True)
    category = models.CharField(_("category"), max_length=80, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta(TenantModel.Meta):
        constraints: ClassVar[list[Any]] = [
            models.UniqueConstraint("tenant", "source", "external_id", name="product_external_id_uniq")
        ]
        indexes: ClassVar[list[Any]] = [models.Index(fields=["tenant", "updated_at", "id"], name="product_by_update")]

    def __str__(self) -> str:
        return self.name or self.external_id


class Order(TenantModel):
    """An order or a credit note. Its net money is in the tenant's currency, its lines in its own."""

    class Kind(models.TextChoices):
        ORDER = "order", pgettext_lazy("purchase", "Order")
        CREDIT_NOTE = "credit_note", _("Credit note")

    class Status(models.TextChoices):
        PLACED = "placed", _("placed")
        CANCELLED = "cancelled", _("cancelled")

    tenant = implied_tenant()
    customer = TenantForeignKey(Customer, models.PROTECT, related_name="orders", verbose_name=_("customer"))
    source = models.CharField(max_length=30, default=DEFAULT_SOURCE)
    external_id = models.CharField(_("number"), max_length=100)
    kind = models.CharField(_("kind"), max_length=12, choices=Kind.choices, default=Kind.ORDER)
    status = models.CharField(_("status"), max_length=10, choices=Status.choices, default=Status.PLACED)
    placed_at = models.DateTimeField(_("placed"))
    # The tenant's local day: what every window and rollup counts by.
    placed_on = models.DateField(editable=False)
    currency = models.CharField(_("currency"), max_length=3)
    rate = FixedPointField(_("exchange rate"), places=8, default=Decimal(1))
    net = MoneyField(_("net money"))
    due_on = models.DateField(_("due"), null=True, blank=True)
    paid_on = models.DateField(_("paid"), null=True, blank=True)
    # What the order said when it last came in: the same again changes nothing (rules/orders.py).
    digest = models.CharField(max_length=32, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    objects: ClassVar[Any] = manager(OfCustomerQuerySet)

    class Meta(TenantModel.Meta):
        constraints: ClassVar[list[Any]] = [
            models.UniqueConstraint("tenant", "source", "external_id", name="order_external_id_uniq")
        ]
        indexes: ClassVar[list[Any]] = [
            # A customer's orders, newest first; and the rollup of the months a write touched.
            models.Index(fields=["tenant", "customer", "-placed_on", "-id"], name="order_of_customer"),
            # The night's partial months.
            models.Index(fields=["tenant", "placed_on"], name="order_by_day"),
            models.Index(fields=["tenant", "updated_at", "id"], name="order_by_update"),
            # When a customer pays: all that the night asks, so that it need not look up each order.
            models.Index(
                fields=["tenant", "customer"],
                include=["paid_on", "due_on", "id"],
                name="order_payments",
                condition=models.Q(status="placed", kind="order", due_on__isnull=False, paid_on__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return self.external_id


class OrderLine(TenantModel):
    """One article of an order; money = quantity × unit price, to four decimals."""

    tenant = implied_tenant()
    order = TenantForeignKey(Order, models.CASCADE, related_name="lines")
    position = models.PositiveIntegerField()
    product = TenantForeignKey(Product, models.PROTECT, related_name="+")
    quantity = FixedPointField(_("quantity"), places=4)
    unit_price = FixedPointField(_("unit price"), places=6)
    money = MoneyField(_("money"))

    class Meta(TenantModel.Meta):
        ordering: ClassVar[list[str]] = ["position"]
        constraints: ClassVar[list[Any]] = [
            models.UniqueConstraint("tenant", "order", "position", name="order_line_uniq")
        ]


class Activity(TenantModel):
    """The monthly rollup of a customer's orders, kept right by every write (services.refresh_activity).

    `days` has bit n−1 set when an order (not a credit note) was placed on day n of the month, so the
    rollup still knows every order day. The primary key's index holds the other columns, too (migration 0011): whoever
    reads stretches of customers reads it alone.
    """

    tenant = implied_tenant()
    pk = models.CompositePrimaryKey("tenant_id", "customer_id", "month")
    customer = TenantForeignKey(Customer, models.CASCADE, related_name="activity")
    month = models.DateField()
    orders = models.IntegerField()
    credit_notes = models.IntegerField()
    net = MoneyField()
    days = models.BigIntegerField()

    class Meta(TenantModel.Meta):
        indexes: ClassVar[list[Any]] = [
            # Charts of one customer; windows of the whole tenant.
            models.Index(fields=["tenant", "month"], name="activity_by_month")
        ]


class Interaction(TenantModel):
    """A contact with a customer: who spoke to whom, how, about what, and whether it was answered."""

    class Direction(models.TextChoices):
        OUTBOUND = "outbound", _("to the customer")
        INBOUND = "inbound", _("from the customer")

    class Leaving(models.TextChoices):
        """What was said about going to somebody else; nothing said is empty."""

        CONSIDERS = "considers", _("considers another supplier")
        BROKE_OFF = "broke_off", _("has broken off after a failure")

    customer = TenantForeignKey(Customer, models.CASCADE, related_name="interactions", verbose_name=_("customer"))
    contact = TenantForeignKey(
        Contact, models.SET_NULL, null=True, blank=True, related_name="+", verbose_name=_("contact")
    )
    member = TenantForeignKey(Member, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("by"))
    source = models.CharField(max_length=30, default=DEFAULT_SOURCE)
    external_id = models.CharField(_("external id"), max_length=100, blank=True)
    at = models.DateTimeField(_("when"), default=timezone.now)
    channel = models.CharField(_("channel"), max_length=10, choices=Channel.choices)
    direction = models.CharField(_("direction"), max_length=10, choices=Direction.choices, default=Direction.OUTBOUND)
    kind = models.CharField(_("kind"), max_length=12, choices=TouchKind.choices, default=TouchKind.LIGHT_TOUCH)
    topic = models.CharField(_("topic"), max_length=60, blank=True)
    answered = models.BooleanField(_("answered"), null=True, blank=True)
    solved = models.BooleanField(_("solved the first time"), null=True, blank=True)
    about_competitor = models.BooleanField(_("asked about a competitor"), default=False, db_default=False)
    leaving = models.CharField(
        _("thinks of leaving"), max_length=10, choices=Leaving.choices, blank=True, default="", db_default=""
    )
    note = models.TextField(_("note"), blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    objects: ClassVar[Any] = manager(OfCustomerQuerySet)

    class Meta(TenantModel.Meta):
        constraints: ClassVar[list[Any]] = [
            models.UniqueConstraint(
                "tenant",
                "source",
                "external_id",
                name="interaction_external_id_uniq",
                condition=~models.Q(external_id=""),
            )
        ]
        indexes: ClassVar[list[Any]] = [
            # A customer's last contacts; the last touch of each kind.
            models.Index(fields=["tenant", "customer", "-at"], name="interaction_of_customer"),
            # Whose contacts a window takes in or leaves behind tonight.
            models.Index(fields=["tenant", "at"], name="interaction_by_time"),
            models.Index(fields=["tenant", "updated_at", "id"], name="interaction_by_update"),
            # Whether the firm notes competitors at all.
            models.Index(
                fields=["tenant", "at"], name="interaction_competitor", condition=models.Q(about_competitor=True)
            ),
            # Who has said that they think of leaving.
            models.Index(
                fields=["tenant", "customer", "at"], name="interaction_leaving", condition=~models.Q(leaving="")
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_channel_display()} {self.at:%Y-%m-%d}"


class Complaint(TenantModel):
    """Something went wrong for a customer; solved the first time, later, or not yet."""

    class Severity(models.TextChoices):
        MINOR = "minor", _("minor")
        NORMAL = "normal", pgettext_lazy("severity", "normal")
        SERIOUS = "serious", _("serious")

    class Kind(models.TextChoices):
        """What it is about, as complaints are handed on; the topic says it in somebody's own words."""

        LOGISTICS = "logistics", pgettext_lazy("complaint", "Delivery")
        QUALITY = "quality", pgettext_lazy("complaint", "Quality")
        GOODS = "goods", pgettext_lazy("complaint", "Wrong or missing goods")
        SERVICE = "service", pgettext_lazy("complaint", "Service")
        TECHNICAL = "technical", pgettext_lazy("complaint", "Technical help")
        BILLING = "billing", pgettext_lazy("complaint", "Price and invoice")
        OTHER = "other", pgettext_lazy("complaint", "Something else")

    class Status(models.TextChoices):
        """Which of its four steps has been done last."""

        OPEN = "open", pgettext_lazy("complaint", "new")
        APOLOGISED = "apologised", pgettext_lazy("complaint", "apologised")
        PROMISED = "promised", pgettext_lazy("complaint", "time promised")
        SOLVED = "solved", pgettext_lazy("complaint", "solved")
        CLOSED = "closed", pgettext_lazy("complaint", "closed")

    customer = TenantForeignKey(Customer, models.CASCADE, related_name="complaints", verbose_name=_("customer"))
    order = TenantForeignKey(Order, models.SET_NULL, null=True, blank=True, related_name="+", verbose_name=_("order"))
    source = models.CharField(max_length=30, default=DEFAULT_SOURCE)
    external_id = models.CharField(_("external id"), max_length=100, blank=True)
    opened_at = models.DateTimeField(_("opened"), default=timezone.now)
    topic = models.CharField(_("topic"), max_length=60)
    severity = models.CharField(_("severity"), max_length=10, choices=Severity.choices, default=Severity.NORMAL)
    text = models.TextField(_("what happened"), blank=True)
    solved_at = models.DateTimeField(_("solved"), null=True, blank=True)
    first_time = models.BooleanField(_("solved the first time"), null=True, blank=True)
    # The four steps: apologise; record and promise a time; solve and report; call back.
    kind = models.CharField(_("kind"), max_length=10, choices=Kind.choices, blank=True, default="", db_default="")
    assignee = TenantForeignKey(
        Member, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("who looks after it")
    )
    apologised_at = models.DateTimeField(_("apologised"), null=True, blank=True)
    promised_at = models.DateTimeField(_("time promised"), null=True, blank=True)
    promised_until = models.DateTimeField(_("promised until"), null=True, blank=True)
    solution = models.TextField(_("how it was solved"), blank=True, default="", db_default="")
    called_back_at = models.DateTimeField(_("called back"), null=True, blank=True)
    is_content = models.BooleanField(_("content with the solution"), null=True, blank=True)
    reopened = models.PositiveSmallIntegerField(_("reopened"), default=0, db_default=0)
    # Handed on to somebody at, with the moments until which each step is due; empty for what was solved elsewhere.
    routed_at = models.DateTimeField(null=True, blank=True)
    apologise_by = models.DateTimeField(null=True, blank=True)
    promise_by = models.DateTimeField(null=True, blank=True)
    solve_by = models.DateTimeField(null=True, blank=True)
    call_back_by = models.DateTimeField(null=True, blank=True)
    # Of which step somebody up the line has been told that its clock ran out.
    told_late = models.CharField(max_length=10, blank=True, default="", db_default="")
    # The database keeps both, whoever writes the steps: pages, programmes, files.
    status = models.GeneratedField(
        expression=models.Case(
            models.When(called_back_at__isnull=False, then=models.Value("closed")),
            models.When(solved_at__isnull=False, routed_at__isnull=True, then=models.Value("closed")),
            models.When(solved_at__isnull=False, then=models.Value("solved")),
            models.When(promised_at__isnull=False, then=models.Value("promised")),
            models.When(apologised_at__isnull=False, then=models.Value("apologised")),
            default=models.Value("open"),
        ),
        output_field=models.CharField(_("status"), max_length=10, choices=Status.choices),
        db_persist=True,
    )
    due_at = models.GeneratedField(
        expression=models.Case(
            models.When(called_back_at__isnull=False, then=models.Value(None)),
            models.When(solved_at__isnull=False, then=models.F("call_back_by")),
            models.When(promised_at__isnull=False, then=models.F("solve_by")),
            models.When(apologised_at__isnull=False, then=models.F("promise_by")),
            default=models.F("apologise_by"),
        ),
        output_field=models.DateTimeField(_("due"), null=True),
        db_persist=True,
    )
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    objects: ClassVar[Any] = manager(OfCustomerQuerySet)

    class Meta(TenantModel.Meta):
        constraints: ClassVar[list[Any]] = [
            models.UniqueConstraint(
                "tenant",
                "source",
                "external_id",
                name="complaint_external_id_uniq",
                condition=~models.Q(external_id=""),
            )
        ]
        indexes: ClassVar[list[Any]] = [
            models.Index(fields=["tenant", "customer", "-opened_at"], name="complaint_of_customer"),
            # The board: what is due first.
            models.Index(
                fields=["tenant", "due_at", "id"], name="complaint_due", condition=models.Q(due_at__isnull=False)
            ),
            # Newest first, and the figures of a stretch of days.
            models.Index(fields=["tenant", "-opened_at", "-id"], name="complaint_newest"),
            # What nobody looks after yet.
            models.Index(
                fields=["tenant", "id"], name="complaint_unrouted",
                condition=models.Q(routed_at__isnull=True, solved_at__isnull=True),
            ),
        ]  # fmt: skip

    def __str__(self) -> str:
        return self.topic


class SurveyResponse(TenantModel):
    """What a customer answered: how likely it is to recommend us (NPS), or how content it was (CSAT)."""

    class Kind(models.TextChoices):
        NPS = "nps", _("NPS")
        CSAT = "csat", _("CSAT")

    SCALE: ClassVar[dict[str, tuple[int, int]]] = {Kind.NPS: (0, 10), Kind.CSAT: (1, 5)}

    customer = TenantForeignKey(Customer, models.CASCADE, related_name="survey_responses", verbose_name=_("customer"))
    contact = TenantForeignKey(
        Contact, models.SET_NULL, null=True, blank=True, related_name="+", verbose_name=_("contact")
    )
    complaint = TenantForeignKey(
        Complaint, models.SET_NULL, null=True, blank=True, related_name="+", verbose_name=_("complaint")
    )
    source = models.CharField(max_length=30, default=DEFAULT_SOURCE)
    external_id = models.CharField(_("external id"), max_length=100, blank=True)
    kind = models.CharField(_("kind"), max_length=4, choices=Kind.choices)
    score = models.PositiveSmallIntegerField(_("score"))  # NPS 0 to 10, CSAT 1 to 5
    at = models.DateTimeField(_("when"), default=timezone.now)
    text = models.TextField(_("own words"), blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    objects: ClassVar[Any] = manager(OfCustomerQuerySet)

    class Meta(TenantModel.Meta):
        constraints: ClassVar[list[Any]] = [
            models.UniqueConstraint(
                "tenant",
                "source",
                "external_id",
                name="survey_response_external_id_uniq",
                condition=~models.Q(external_id=""),
            ),
            models.CheckConstraint(
                condition=models.Q(kind="nps", score__lte=10) | models.Q(kind="csat", score__gte=1, score__lte=5),
                name="survey_response_on_scale",
            ),
        ]
        indexes: ClassVar[list[Any]] = [
            # A customer's answers, newest first.
            models.Index(fields=["tenant", "customer", "-at"], name="survey_response_of_customer"),
            models.Index(fields=["tenant", "updated_at", "id"], name="survey_response_by_update"),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.score}"

    @property
    def group(self) -> str:
        """What an NPS answer says of who gave it, in a word; empty for CSAT."""
        if self.kind != self.Kind.NPS:
            return ""
        words = {
            "promoter": pgettext("NPS", "promoter"),
            "passive": pgettext("NPS", "passive"),
            "detractor": pgettext("NPS", "detractor"),
        }
        return words[nps_group(self.score)]


class Referral(TenantModel):
    """Who recommended us to whom, and who of the firm says so: one claim for a customer at a time.

    First order, money and conversion are read from the orders (customers.referrals); nothing of it is stored here.
    """

    class Origin(models.TextChoices):
        BY_HAND = "by_hand", pgettext_lazy("referral", "by hand")
        IMPORT = "import", pgettext_lazy("referral", "file")
        API = "api", pgettext_lazy("referral", "programme")
        SURVEY = "survey", pgettext_lazy("referral", "survey answer")

    referrer = TenantForeignKey(
        Customer, models.PROTECT, related_name="referrals_made", verbose_name=_("recommended by")
    )
    customer = TenantForeignKey(Customer, models.PROTECT, related_name="referrals", verbose_name=_("new customer"))
    member = TenantForeignKey(
        Member, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("brought by"),
        help_text=_("Who gets the reward for the new orders; empty: the A owner of the customer who recommended us."),
    )  # fmt: skip
    source = models.CharField(max_length=30, default=DEFAULT_SOURCE)
    external_id = models.CharField(_("external id"), max_length=100, blank=True)
    on = models.DateField(_("recommended on"))
    origin = models.CharField(_("recorded by way of"), max_length=8, choices=Origin.choices, default=Origin.BY_HAND)
    response = TenantForeignKey(
        SurveyResponse, models.SET_NULL, null=True, blank=True, related_name="+", verbose_name=_("survey answer")
    )
    note = models.TextField(_("note"), blank=True)
    # Who wrote it down: nobody approves what rests on their own word.
    noted_by = TenantForeignKey(Member, models.PROTECT, null=True, blank=True, related_name="+", editable=False)
    withdrawn_at = models.DateTimeField(_("withdrawn"), null=True, blank=True)
    withdrawn_why = models.CharField(_("why it was withdrawn"), max_length=200, blank=True, default="", db_default="")
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    objects: ClassVar[Any] = manager(OfCustomerQuerySet)

    class Meta(TenantModel.Meta):
        constraints: ClassVar[list[Any]] = [
            models.UniqueConstraint(
                "tenant",
                "source",
                "external_id",
                name="referral_external_id_uniq",
                condition=~models.Q(external_id=""),
            ),
            # Two claims for one new customer: whoever comes second is told who holds it.
            models.UniqueConstraint(
                "tenant", "customer", name="referral_claim_uniq", condition=models.Q(withdrawn_at__isnull=True)
            ),
            models.CheckConstraint(condition=~models.Q(referrer=models.F("customer")), name="referral_not_of_oneself"),
        ]
        indexes: ClassVar[list[Any]] = [
            # Newest first, and the referrals of a stretch of days.
            models.Index(fields=["tenant", "-on", "-id"], name="referral_newest"),
            models.Index(fields=["tenant", "updated_at", "id"], name="referral_by_update"),
        ]

    def __str__(self) -> str:
        return f"{self.referrer_id} → {self.customer_id}"


class Arrival(TenantModel):
    """A customer about whom a fact has come in: for who scores between two nights, and for the night.

    Written in the transaction of the fact, once per customer however many come. Who scores marks the note as seen; the
    night takes away those that it has reckoned with. A writer that meets a note which is just being marked or taken
    waits, and leaves it unseen, so that no fact is missed.
    """

    tenant = implied_tenant()
    pk = models.CompositePrimaryKey("tenant_id", "customer_id")
    customer = TenantForeignKey(Customer, models.CASCADE, related_name="+")
    at = models.DateTimeField(default=timezone.now)
    is_seen = models.BooleanField(default=False, db_default=False)
    transaction = models.BigIntegerField(db_default=0)  # that wrote the last of the facts (pg_current_xact_id)

    class Meta(TenantModel.Meta):
        indexes: ClassVar[list[Any]] = [
            # Who scores between two nights takes those that wait longest.
            models.Index(fields=["tenant", "at", "customer"], name="arrival_waiting", condition=models.Q(is_seen=False))
        ]


class Evidence(TenantModel):
    """What shows that a customer is worth more than its money: one fact, with its day and who noted it."""

    class Kind(models.TextChoices):
        REFERRAL = "referral", _("Referral")
        ENDORSEMENT = "endorsement", _("Endorsement")
        BENCHMARK = "benchmark", _("Benchmark customer")
        CO_DEVELOPMENT = "co_development", _("Co-development")
        CLUSTER = "cluster", _("Industry cluster")

    customer = TenantForeignKey(Customer, models.CASCADE, related_name="evidence", verbose_name=_("customer"))
    kind = models.CharField(_("kind"), max_length=14, choices=Kind.choices)
    on = models.DateField(_("day"))
    note = models.CharField(_("what happened"), max_length=300, blank=True)
    # Of a referral: the customer who came; what it buys is counted for the one who sent it.
    referred = TenantForeignKey(
        Customer, models.SET_NULL, null=True, blank=True, related_name="+", verbose_name=_("who came")
    )
    member = TenantForeignKey(Member, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("by"))
    source = models.CharField(max_length=30, default=DEFAULT_SOURCE)
    external_id = models.CharField(_("external id"), max_length=100, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    objects: ClassVar[Any] = manager(OfCustomerQuerySet)

    class Meta(TenantModel.Meta):
        constraints: ClassVar[list[Any]] = [
            models.UniqueConstraint(
                "tenant", "source", "external_id", name="evidence_external_id_uniq", condition=~models.Q(external_id="")
            )
        ]
        indexes: ClassVar[list[Any]] = [
            # A customer's evidence, newest first.
            models.Index(fields=["tenant", "customer", "-on"], name="evidence_of_customer"),
            models.Index(fields=["tenant", "updated_at", "id"], name="evidence_by_update"),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.on}"


class Import(TenantModel):
    """One delivered file and what became of each of its rows."""

    class Kind(models.TextChoices):
        ORDERS = "orders", _("orders")
        CUSTOMERS = "customers", _("customers")
        CONTACTS = "contacts", _("contacts")
        PRODUCTS = "products", _("products")
        INTERACTIONS = "interactions", _("interactions")
        COMPLAINTS = "complaints", _("complaints")
        SURVEY_RESPONSES = "survey_responses", _("survey responses")
        REFERRALS = "referrals", _("referrals")

    class Status(models.TextChoices):
        UPLOADED = "uploaded", _("waiting for the columns")
        QUEUED = "queued", _("waiting")
        READING = "reading", _("reading the file")
        WRITING = "writing", _("writing")
        DONE = "done", _("done")
        FAILED = "failed", _("failed")
        CANCELLED = "cancelled", _("cancelled")

    kind = models.CharField(_("kind"), max_length=20, choices=Kind.choices)
    source = models.CharField(_("source"), max_length=30, default=DEFAULT_SOURCE)
    filename = models.CharField(_("file"), max_length=200)
    path = models.CharField(max_length=500)  # the file itself, where the worker reads it
    mapping = models.JSONField(default=dict)
    dry_run = models.BooleanField(_("try only"), default=False)
    status = models.CharField(_("status"), max_length=10, choices=Status.choices, default=Status.UPLOADED)
    # Lines of the file.
    rows = models.BigIntegerField(default=0)
    failed = models.BigIntegerField(default=0)
    # Records: an order of ten lines is one.
    created = models.BigIntegerField(default=0)
    updated = models.BigIntegerField(default=0)
    unchanged = models.BigIntegerField(default=0)
    # Progress: thousandths of the file while reading, pieces while writing: the first so many are written.
    done_part = models.BigIntegerField(default=0)
    # Numbers of pieces beyond these that are written too: several are under way at a time.
    done_ahead = models.JSONField(default=list)
    whole = models.BigIntegerField(default=0)
    # Why the whole file was refused: a code and its values, put into words by `error`.
    problem = models.JSONField(default=dict)
    digest = models.CharField(max_length=64, blank=True)  # of the file: a killed command finds its import again
    attempts = models.PositiveSmallIntegerField(default=0)  # starts since the last piece that was written
    member = TenantForeignKey(Member, models.PROTECT, null=True, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)

    class Meta(TenantModel.Meta):
        ordering: ClassVar[list[str]] = ["-id"]
        indexes: ClassVar[list[Any]] = [models.Index(fields=["tenant", "-id"], name="import_newest")]

    def __str__(self) -> str:
        return self.filename

    @property
    def error(self) -> str:
        """Why the whole file was refused, in the language of whoever reads it; empty when it was not."""
        return str(ImportProblem.from_json(self.problem)) if self.problem else ""

    @property
    def is_running(self) -> bool:
        return self.status in {self.Status.QUEUED, self.Status.READING, self.Status.WRITING}

    @property
    def percent(self) -> int:
        """How far it is, 0 to 100; reading and writing count half each."""
        if self.status == self.Status.DONE:
            return 100
        part = min(50, 50 * self.done_part // self.whole) if self.whole else 0
        return part + (50 if self.status == self.Status.WRITING else 0)

    @property
    def seconds(self) -> float | None:
        """How long it took."""
        if self.started_at is None or self.finished_at is None:
            return None
        return (self.finished_at - self.started_at).total_seconds()


class ColumnMapping(TenantModel):
    """The columns of a kind of file, as they were last said for these headers."""

    kind = models.CharField(max_length=20, choices=Import.Kind.choices)
    headers = models.CharField(max_length=32)  # digest of the file's header row
    mapping = models.JSONField(default=dict)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta(TenantModel.Meta):
        constraints: ClassVar[list[Any]] = [
            models.UniqueConstraint("tenant", "kind", "headers", name="column_mapping_uniq")
        ]


def month_of(day: dt.date) -> dt.date:
    """The first day of the month, as the rollup names it."""
    return day.replace(day=1)
