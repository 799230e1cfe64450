"""Forms of the administrator's pages."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, cast

from django import forms
from django.utils.translation import gettext_lazy as _

from tenants.models import Member, Team
from tenants.permissions import PERMISSIONS, Role
from tenants.services import TOKEN_DAYS


class SuggestInput(forms.TextInput):
    """A text field that offers what has been used before, and takes anything else."""

    template_name = "components/suggest_input.html"

    def __init__(self, attrs: dict[str, Any] | None = None) -> None:
        super().__init__(attrs)
        self.suggestions: list[str] = []

    def get_context(self, name: str, value: Any, attrs: dict[str, Any] | None) -> dict[str, Any]:
        context = super().get_context(name, value, attrs)
        if self.suggestions:
            context["widget"]["suggestions"] = self.suggestions
            context["widget"]["attrs"]["list"] = f"{context['widget']['attrs'].get('id', name)}_known"
        return context


def offer(form: forms.Form, name: str, rows: Any) -> None:
    """Let a field choose among these rows: known only when the form is made, inside the tenant."""
    cast(forms.ModelChoiceField, form.fields[name]).queryset = rows


def suggest(form: forms.Form, name: str, words: Iterable[str]) -> None:
    """Let a text field offer these words."""
    cast(SuggestInput, form.fields[name].widget).suggestions = list(words)


class MemberForm(forms.Form):
    """A new member, or with `member` an existing one: then the person is given and role and team change."""

    email = forms.EmailField(label=_("E-mail address"), widget=forms.EmailInput(attrs={"autocomplete": "off"}))
    name = forms.CharField(
        label=_("Name"), max_length=150, required=False, help_text=_("A person who is known keeps their own.")
    )
    role = forms.ChoiceField(label=_("Role"), choices=Role.choices)
    team = forms.CharField(
        label=_("Team"),
        max_length=80,
        required=False,
        help_text=_("A new name makes a new team."),
        widget=SuggestInput(),
    )
    weekly_capacity = forms.IntegerField(
        label=_("Touches a week"),
        min_value=0,
        max_value=500,
        required=False,
        help_text=_("How many there is room for; empty: as many as the policy says."),
    )
    is_active = forms.BooleanField(label=_("Active: may sign in to this firm"), required=False)

    def __init__(self, *args: Any, member: Member | None = None, **kwargs: Any) -> None:
        if member is not None:
            team = member.team.name if member.team else ""
            kwargs["initial"] = {
                "role": member.role,
                "team": team,
                "weekly_capacity": member.weekly_capacity,
                "is_active": member.is_active,
            }
        super().__init__(*args, **kwargs)
        for gone in ("is_active",) if member is None else ("email", "name"):
            del self.fields[gone]
        suggest(self, "team", Team.objects.values_list("name", flat=True))

    def values(self) -> dict[str, Any]:
        """The cleaned fields, with the team's name as `team_name`."""
        values = dict(self.cleaned_data)
        values["team_name"] = values.pop("team")
        return values


class TokenForm(forms.Form):
    """A token for a programme that acts as a member."""

    member: forms.ModelChoiceField[Member] = forms.ModelChoiceField(
        label=_("Acts as"), queryset=None, help_text=_("It may do at most what this member may do.")
    )
    name = forms.CharField(label=_("What is it for?"), max_length=80)
    days = forms.IntegerField(label=_("Days until it expires"), min_value=1, max_value=TOKEN_DAYS, initial=TOKEN_DAYS)
    scopes = forms.MultipleChoiceField(
        label=_("Scopes"),
        choices=[
            ("all", _("everything that the member’s role may do")),
            *((name, name) for name in sorted(PERMISSIONS)),
        ],
        widget=forms.CheckboxSelectMultiple,
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        people = Member.objects.filter(is_active=True).select_related("user").order_by("user__name", "pk")
        offer(self, "member", people)

    def clean_scopes(self) -> list[str]:
        scopes: list[str] = self.cleaned_data["scopes"]
        return ["all"] if "all" in scopes else scopes
