"""What people say about journeys: what begins one and for whom, its steps; which product is announced; who does what."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, cast

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext_lazy

from customers.models import Channel, Product, TouchKind
from followups.models import DutyHolder, FollowUp, Journey, Script
from followups.models.journeys import step_title
from followups.rules.journeys import Definition
from health.models import Band
from segmentation.models import Tier
from segmentation.rules.policy import TierPolicy
from segmentation.rules.tiers import TIER_ORDER
from tenants.models import Member
from tenants.policies import active_policy

FACTS: Final = (
    ("order", gettext_lazy("an order")),
    ("answer", gettext_lazy("an answer")),
    ("complaint", gettext_lazy("a complaint")),
)
HOW: Final = (("follow_up", gettext_lazy("Follow-up")), ("message", gettext_lazy("Message, sent by itself")))
STEPS_MOST: Final = 12
BLANK: Final = 2
"""Empty steps that the editor offers."""


def _words(text: str) -> list[str]:
    return [word.strip() for line in text.splitlines() for word in line.replace("，", ",").split(",") if word.strip()]


class JourneyForm(forms.Form):
    """What begins a journey, for which customers, what stops it, and which journey goes first."""

    code = forms.SlugField(
        label=gettext_lazy("Code"),
        max_length=18,
        help_text=gettext_lazy("Small letters, digits and hyphens; it stays."),
    )
    name = forms.CharField(label=gettext_lazy("Name"), max_length=80, required=False)
    trigger = forms.ChoiceField(label=gettext_lazy("Begins with"), choices=Journey.Trigger.choices)
    days = forms.IntegerField(
        label=gettext_lazy("Days without an order"), min_value=7, max_value=730, initial=90, required=False
    )
    words = forms.CharField(
        label=gettext_lazy("Words"), required=False, widget=forms.Textarea({"rows": 2}), max_length=1000,
        help_text=gettext_lazy("One of them must be in what was said; commas between them."),
    )  # fmt: skip
    tiers = forms.MultipleChoiceField(
        label=gettext_lazy("Only these tiers"), required=False, widget=forms.CheckboxSelectMultiple
    )
    bands = forms.MultipleChoiceField(
        label=gettext_lazy("Only this health"), required=False, widget=forms.CheckboxSelectMultiple,
        choices=[(code, words) for code, words in Band.choices if code != "none"],
    )  # fmt: skip
    countries = forms.CharField(
        label=gettext_lazy("Only these countries"), required=False, max_length=300,
        help_text=gettext_lazy("As they are written in the customers list; commas between them."),
    )  # fmt: skip
    least_net = forms.IntegerField(
        label=gettext_lazy("Only with net money of 12 months of at least"), required=False, min_value=0
    )
    stops = forms.MultipleChoiceField(
        label=gettext_lazy("Stops after"), required=False, choices=FACTS, widget=forms.CheckboxSelectMultiple
    )
    priority = forms.IntegerField(
        label=gettext_lazy("Goes first"), min_value=1, max_value=9, initial=5,
        help_text=gettext_lazy("1 to 9; the smallest number speaks, the others wait."),
    )  # fmt: skip
    wait_days = forms.IntegerField(
        label=gettext_lazy("Waits for another journey at most"), min_value=0, max_value=365, initial=14,
        help_text=gettext_lazy("Days; then it is over before it began."),
    )  # fmt: skip

    def __init__(self, data: Any = None, *, journey: Journey | None = None) -> None:
        super().__init__(data, initial=_initial(journey) if journey else None)
        scheme = active_policy().section(TierPolicy).scheme
        tiers = cast(forms.MultipleChoiceField, self.fields["tiers"])
        tiers.choices = [(code, Tier(code).label) for code in TIER_ORDER[scheme]]
        if journey is not None:
            del self.fields["code"]

    def document(self) -> dict[str, Any]:
        """The definition without its steps, as rules take it; call it on a valid form."""
        said = self.cleaned_data
        return {
            "trigger": said["trigger"],
            "days": said["days"] or 90,
            "words": _words(said["words"]),
            "conditions": {
                "tiers": said["tiers"],
                "bands": said["bands"],
                "countries": _words(said["countries"]),
                "least_net": said["least_net"],
            },
            "stops": said["stops"],
            "priority": said["priority"],
            "wait_days": said["wait_days"],
        }


def _initial(journey: Journey) -> dict[str, Any]:
    rules = journey.rules
    return {
        "name": journey.name,
        "trigger": rules.trigger,
        "days": rules.days,
        "words": ", ".join(rules.words),
        "tiers": list(rules.conditions.tiers),
        "bands": list(rules.conditions.bands),
        "countries": ", ".join(rules.conditions.countries),
        "least_net": rules.conditions.least_net,
        "stops": list(rules.stops),
        "priority": rules.priority,
        "wait_days": rules.wait_days,
    }


class StepForm(forms.Form):
    """One step; without a code there is none."""

    code = forms.SlugField(label=gettext_lazy("Code"), max_length=11, required=False)
    name = forms.CharField(label=gettext_lazy("Name"), max_length=60, required=False)
    after_hours = forms.IntegerField(
        label=gettext_lazy("From, hours"), min_value=0, max_value=8784, initial=0, required=False
    )
    within_hours = forms.IntegerField(
        label=gettext_lazy("At the latest, hours"), min_value=1, max_value=8784, initial=24, required=False
    )
    how = forms.ChoiceField(label=gettext_lazy("What"), choices=HOW)
    kind = forms.ChoiceField(label=gettext_lazy("Kind of touch"), choices=TouchKind.choices, initial="light_touch")
    channel = forms.ChoiceField(label=gettext_lazy("Channel"), choices=Channel.choices)
    script = forms.ChoiceField(label=gettext_lazy("Script"), required=False)
    duty = forms.ChoiceField(label=gettext_lazy("By whom"), choices=DutyHolder.Duty.choices)
    level = forms.ChoiceField(label=gettext_lazy("Weight"), choices=FollowUp.Level.choices)
    unless = forms.MultipleChoiceField(
        label=gettext_lazy("Left out after"), required=False, choices=FACTS, widget=forms.CheckboxSelectMultiple
    )

    def __init__(self, *args: Any, scripts: Sequence[tuple[str, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        cast(forms.ChoiceField, self.fields["script"]).choices = [("", pgettext_lazy("script", "none")), *scripts]

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if cleaned.get("name") and not cleaned.get("code"):
            self.add_error("code", _("A step needs a code."))
        return cleaned

    def document(self) -> dict[str, Any] | None:
        """The step as rules take it; None where there is none."""
        said = dict(self.cleaned_data)
        if not said.get("code"):
            return None
        said["after_hours"] = said["after_hours"] or 0
        said["within_hours"] = said["within_hours"] or max(24, said["after_hours"])
        return said


class StepSet:
    """The steps of a journey in the editor, with some empty ones to fill."""

    def __init__(self, data: Any = None, *, rules: Definition | None = None) -> None:
        found = [(row.code, row.title) for row in Script.objects.order_by("scene", "code")]
        steps = [step.model_dump(mode="json") for step in rules.steps] if rules else []
        count = min(STEPS_MOST, _count(data) if data is not None else len(steps) + BLANK)
        self.forms = [
            StepForm(
                data,
                prefix=f"step-{number}",
                initial=steps[number] if number < len(steps) else None,
                scripts=found,
            )
            for number in range(count)
        ]
        for form in self.forms:
            said = form["code"].value()
            form.title = step_title(str(said), str(form["name"].value() or "")) if said else _("New step")  # type: ignore[attr-defined]  # for the page

    def is_valid(self) -> bool:
        wrong = [form for form in self.forms if not form.is_valid()]  # each says what is wrong with it
        return not wrong

    @property
    def count(self) -> int:
        return len(self.forms)

    def documents(self) -> list[dict[str, Any]]:
        """The steps that are there, in their order; call it when all forms are valid."""
        return [step for form in self.forms if (step := form.document()) is not None]


def _count(data: Mapping[str, Any]) -> int:
    text = str(data.get("steps", ""))
    return int(text) if text.isdecimal() and len(text) < 4 else BLANK


class AnnounceForm(forms.Form):
    """Which product is announced: by its number, or its name as it is written."""

    product = forms.CharField(
        label=gettext_lazy("Product"), max_length=200, help_text=gettext_lazy("Its number, or its name as it is written."),
        widget=forms.TextInput({"autocomplete": "off"}),
    )  # fmt: skip

    def clean_product(self) -> Product:
        said = self.cleaned_data["product"].strip()
        found = list(Product.objects.filter(external_id=said)[:2]) or list(
            Product.objects.filter(name__iexact=said)[:2]
        )
        if not found:
            raise ValidationError(_("There is no product of this number or name."), code="unknown")
        if len(found) > 1:
            raise ValidationError(_("Several products are called so; say the number."), code="several")
        product: Product = found[0]
        return product


class DutiesForm(forms.Form):
    """Who does what journeys ask of the product manager, of after-sales and of the executive."""

    NAMED: Final = ("product", "after_sales", "executive")

    def __init__(self, data: Any = None, *, people: Sequence[Member], held: Mapping[str, int]) -> None:
        super().__init__(data, initial={duty: held.get(duty, "") for duty in self.NAMED})
        self._people = {member.pk: member for member in people}
        choices = [("", _("the A owner")), *((str(member.pk), str(member)) for member in people)]
        for duty in self.NAMED:
            self.fields[duty] = forms.ChoiceField(label=DutyHolder.Duty(duty).label, choices=choices, required=False)

    def holders(self) -> dict[str, Member | None]:
        """Duty → who; None: the A owner. Call it on a valid form."""
        said = self.cleaned_data
        return {duty: self._people[int(said[duty])] if said[duty] else None for duty in self.NAMED}
