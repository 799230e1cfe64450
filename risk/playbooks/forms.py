"""What people say about playbooks: the editor's fields, which one to begin, and what came of a step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, cast

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext_lazy

from customers.models import Channel, TouchKind
from followups.journeys.forms import FACTS, HOW
from followups.models import DutyHolder, FollowUp, Script
from risk.models import Alert, Playbook
from risk.models.playbooks import playbook_step_title
from risk.playbooks.words import BRANCH_WORDS, ENDING_WORDS, MEASURES
from risk.rules.playbooks import BRANCHES, ENDINGS, Definition, Step
from segmentation.models import Tier
from segmentation.rules.policy import TierPolicy
from segmentation.rules.tiers import TIER_ORDER
from tenants.models import Member
from tenants.policies import active_policy

STEPS_MOST: Final = 12
BLANK: Final = 2
"""Empty steps that the editor offers."""

GOOD: Final = (("order", gettext_lazy("an order")), ("answer", gettext_lazy("an answer")))
UNITS: Final = (("days", gettext_lazy("working days")), ("hours", gettext_lazy("working hours")))
FROM: Final = (
    ("previous", gettext_lazy("the end of the step before")),
    ("start", gettext_lazy("the start of the playbook")),
)


class PlaybookForm(forms.Form):
    """What begins a playbook, for which customers, what ends it well, and how it is judged."""

    code = forms.CharField(
        label=gettext_lazy("Code"),
        max_length=16,
        help_text=gettext_lazy("Small letters, digits and hyphens; it stays."),
    )
    name = forms.CharField(label=gettext_lazy("Name"), max_length=80, required=False)
    signals = forms.MultipleChoiceField(
        label=gettext_lazy("Signals"), required=False, choices=Alert.Signal.choices,
        widget=forms.CheckboxSelectMultiple, help_text=gettext_lazy("Alerts that it is for."),
    )  # fmt: skip
    least_level = forms.ChoiceField(label=gettext_lazy("Of level, at least"), choices=Alert.Level.choices)
    automatic = forms.BooleanField(
        label=gettext_lazy("Begins by itself"), required=False,
        help_text=gettext_lazy("Its first step takes the place of the alert's own follow-up."),
    )  # fmt: skip
    tiers = forms.MultipleChoiceField(
        label=gettext_lazy("Only these tiers"), required=False, widget=forms.CheckboxSelectMultiple
    )
    stops = forms.MultipleChoiceField(
        label=gettext_lazy("Ends well after"), required=False, choices=GOOD, widget=forms.CheckboxSelectMultiple
    )
    priority = forms.IntegerField(
        label=gettext_lazy("Goes first"), min_value=1, max_value=9, initial=3,
        help_text=gettext_lazy("1 to 9, journeys too; the smallest number speaks, the others wait."),
    )  # fmt: skip
    wait_days = forms.IntegerField(
        label=gettext_lazy("Waits for another one at most"), min_value=0, max_value=365, initial=14,
        help_text=gettext_lazy("Days; then it is over before it began."),
    )  # fmt: skip
    measure = forms.ChoiceField(label=gettext_lazy("It helped when"), choices=list(MEASURES.items()))
    measure_days = forms.IntegerField(
        label=gettext_lazy("Looked at after"), min_value=7, max_value=365, initial=90, help_text=gettext_lazy("Days")
    )
    holdout_percent = forms.IntegerField(
        label=gettext_lazy("Held out to compare"), min_value=0, max_value=50, initial=0,
        help_text=gettext_lazy(
            "Percent of the customers for whom it would begin by itself and does not: they keep the alert's own answer. "
            "0: nobody."
        ),
    )  # fmt: skip
    holdout_severe = forms.BooleanField(label=gettext_lazy("Hold out severe alerts too"), required=False)

    def __init__(self, data: Any = None, *, playbook: Playbook | None = None, rules: Definition | None = None) -> None:
        super().__init__(data, initial=_initial(playbook, rules) if playbook and rules else None)
        scheme = active_policy().section(TierPolicy).scheme
        tiers = cast(forms.MultipleChoiceField, self.fields["tiers"])
        tiers.choices = [(code, Tier(code).label) for code in TIER_ORDER[scheme]]
        if playbook is not None:
            del self.fields["code"]

    def document(self) -> dict[str, Any]:
        """The definition without its steps, as rules take it; call it on a valid form."""
        return {name: value for name, value in self.cleaned_data.items() if name not in {"code", "name"}}


def _initial(playbook: Playbook, rules: Definition) -> dict[str, Any]:
    return {"name": playbook.name, **rules.model_dump(mode="json", exclude={"steps"})}


class StepForm(forms.Form):
    """One step; without a code there is none."""

    code = forms.SlugField(label=gettext_lazy("Code"), max_length=11, required=False)
    name = forms.CharField(label=gettext_lazy("Name"), max_length=60, required=False)
    what = forms.CharField(
        label=gettext_lazy("What to do"), max_length=400, required=False, widget=forms.Textarea({"rows": 2})
    )
    alongside = forms.BooleanField(label=gettext_lazy("Together with the step before"), required=False)
    counts_from = forms.ChoiceField(label=gettext_lazy("Counts from"), choices=FROM)
    after = forms.IntegerField(label=gettext_lazy("Not before"), min_value=0, max_value=250, initial=0, required=False)
    within = forms.IntegerField(
        label=gettext_lazy("At the latest after"), min_value=1, max_value=250, initial=1, required=False
    )
    unit = forms.ChoiceField(label=gettext_lazy("Counted in"), choices=UNITS)
    how = forms.ChoiceField(label=gettext_lazy("What"), choices=HOW)
    inside = forms.BooleanField(label=gettext_lazy("Inside the firm: no contact"), required=False)
    kind = forms.ChoiceField(label=gettext_lazy("Kind of touch"), choices=TouchKind.choices, initial="deep_talk")
    channel = forms.ChoiceField(label=gettext_lazy("Channel"), choices=Channel.choices)
    script = forms.ChoiceField(label=gettext_lazy("Script"), required=False)
    duty = forms.ChoiceField(label=gettext_lazy("By whom"), choices=DutyHolder.Duty.choices)
    level = forms.ChoiceField(label=gettext_lazy("Weight"), choices=FollowUp.Level.choices, initial="mild")
    asks = forms.BooleanField(label=gettext_lazy("Asks: saved or lost"), required=False)
    unless = forms.MultipleChoiceField(
        label=gettext_lazy("Left out after"), required=False, choices=FACTS, widget=forms.CheckboxSelectMultiple
    )

    def __init__(
        self, *args: Any, scripts: Sequence[tuple[str, str]], targets: Sequence[tuple[str, str]], **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        cast(forms.ChoiceField, self.fields["script"]).choices = [("", pgettext_lazy("script", "none")), *scripts]
        ways = [("", _("to the next step")), *targets, *((code, words) for code, words in ENDING_WORDS.items())]
        for branch in BRANCHES:
            said = _("When %(outcome)s") % {"outcome": BRANCH_WORDS[branch]}
            # A step of this very form may be new: what is no step is said by the rules, with the place.
            self.fields[f"then_{branch}"] = _Way(label=said, required=False, choices=ways)

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
        ways = {branch: said.pop(f"then_{branch}") for branch in BRANCHES}
        said["then"] = {branch: target for branch, target in ways.items() if target}
        said["after"] = said["after"] or 0
        said["within"] = said["within"] or max(1, said["after"])
        return said


class _Way(forms.ChoiceField):
    """Where a step goes on; the choices are the steps as they were when the page was made, and may grow."""

    def valid_value(self, value: str) -> bool:
        return len(value) <= 16


class StepSet:
    """The steps of a playbook in the editor, with some empty ones to fill."""

    def __init__(self, data: Any = None, *, rules: Definition | None = None) -> None:
        found = [(row.code, row.title) for row in Script.objects.order_by("scene", "code")]
        steps = list(rules.steps) if rules else []
        count = min(STEPS_MOST, _count(data) if data is not None else len(steps) + BLANK)
        targets = _targets(data, count) if data is not None else [(s.code, _title(s)) for s in steps]
        self.forms = [
            StepForm(
                data,
                prefix=f"step-{number}",
                initial=_step_initial(steps[number]) if number < len(steps) else None,
                scripts=found,
                targets=targets,
            )
            for number in range(count)
        ]
        for form in self.forms:
            said = form["code"].value()
            form.title = (  # type: ignore[attr-defined]  # for the page
                playbook_step_title(str(said), str(form["name"].value() or "")) if said else _("New step")
            )

    def is_valid(self) -> bool:
        wrong = [form for form in self.forms if not form.is_valid()]  # each says what is wrong with it
        return not wrong

    @property
    def count(self) -> int:
        return len(self.forms)

    def documents(self) -> list[dict[str, Any]]:
        """The steps that are there, in their order; call it when all forms are valid."""
        return [step for form in self.forms if (step := form.document()) is not None]


def _title(step: Step) -> str:
    return playbook_step_title(step.code, step.name)


def _step_initial(step: Step) -> dict[str, Any]:
    said = step.model_dump(mode="json")
    ways = said.pop("then")
    return {**said, **{f"then_{branch}": ways.get(branch, "") for branch in BRANCHES}}


def _targets(data: Mapping[str, Any], count: int) -> list[tuple[str, str]]:
    """The steps that the sent form names, so that a way to one of them is offered again."""
    codes = [str(data.get(f"step-{number}-code", "")).strip() for number in range(count)]
    names = [str(data.get(f"step-{number}-name", "")).strip() for number in range(count)]
    pairs = zip(codes, names, strict=True)
    return [(code, playbook_step_title(code, name)) for code, name in pairs if code and code not in ENDINGS]


def _count(data: Mapping[str, Any]) -> int:
    text = str(data.get("steps", ""))
    return int(text) if text.isdecimal() and len(text) < 4 else BLANK


class StartForm(forms.Form):
    """Which playbook to begin; those that fit the customer's alerts come first."""

    playbook = forms.ChoiceField(label=gettext_lazy("Playbook"))

    def __init__(self, data: Any = None, *, offered: Sequence[tuple[Playbook, bool]]) -> None:
        super().__init__(data)
        self._rows = {str(row.pk): row for row, _fits in offered}
        fitting = [(str(row.pk), row.title) for row, fits in offered if fits]
        others = [(str(row.pk), row.title) for row, fits in offered if not fits]
        choices: list[Any] = others
        if fitting:
            choices = [(_("Fits the alerts"), fitting), (pgettext_lazy("playbooks", "Others"), others)]
        cast(forms.ChoiceField, self.fields["playbook"]).choices = choices

    def chosen(self) -> Playbook:
        """The playbook; call it on a valid form."""
        return self._rows[self.cleaned_data["playbook"]]


class SayForm(forms.Form):
    """What came of a step, and a note that goes with the contact."""

    outcome = forms.ChoiceField(choices=list(BRANCH_WORDS.items()))
    note = forms.CharField(max_length=4000, required=False)


class StopForm(forms.Form):
    """How a run ends by hand; without an outcome it is stopped."""

    outcome = forms.ChoiceField(
        choices=[("", ""), ("saved", ""), ("lost", ""), ("no_answer", "")], required=False
    )  # fmt: skip


class HandOverForm(forms.Form):
    """Who takes a run over."""

    to = forms.ChoiceField(label=gettext_lazy("To"))

    def __init__(self, data: Any = None, *, people: Sequence[Member]) -> None:
        super().__init__(data)
        self._people = {str(member.pk): member for member in people}
        cast(forms.ChoiceField, self.fields["to"]).choices = [(pk, str(each)) for pk, each in self._people.items()]

    def member(self) -> Member:
        """The one who takes it over; call it on a valid form."""
        return self._people[self.cleaned_data["to"]]
