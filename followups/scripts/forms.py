"""What people say about scripts: what one is for, and its wordings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext_lazy

from customers.models import Channel
from followups.models import Script
from followups.models.scripts import Outline, Scene
from followups.scripts import services as scripts
from followups.scripts.services import LANGUAGES, PART_LENGTH, SUBJECT_LENGTH

LANGUAGE_WORDS: Final[Mapping[str, Any]] = {"en": gettext_lazy("English"), "zh-hans": gettext_lazy("Chinese")}


class ScriptForm(forms.Form):
    """What a script is called, when and by which way it is said, how it is built. A code is given once."""

    code = forms.SlugField(
        label=gettext_lazy("Code"),
        max_length=18,
        help_text=gettext_lazy("Small letters, digits and hyphens; it stays."),
    )
    name = forms.CharField(label=gettext_lazy("Name"), max_length=80, required=False)
    scene = forms.ChoiceField(label=gettext_lazy("Scene"), choices=Scene.choices)
    channel = forms.ChoiceField(
        label=gettext_lazy("Channel"),
        choices=[("", pgettext_lazy("channel", "Any")), *Channel.choices],
        required=False,
    )
    outline = forms.ChoiceField(label=gettext_lazy("Outline"), choices=Outline.choices)
    is_on = forms.BooleanField(label=gettext_lazy("In use"), required=False)

    def __init__(self, data: Any = None, *, script: Script | None = None) -> None:
        super().__init__(data, initial=self._initial(script))
        if script is not None:
            del self.fields["code"]
            if script.variants.exists():
                del self.fields["outline"]

    @staticmethod
    def _initial(script: Script | None) -> dict[str, Any]:
        if script is None:
            return {"is_on": True}
        return {name: getattr(script, name) for name in ("name", "scene", "channel", "outline", "is_on")}


class WordingForm(forms.Form):
    """The subject and the parts of a wording, in each language."""

    def __init__(self, data: Any = None, *, script: Script, texts: Mapping[str, Any] | None = None) -> None:
        super().__init__(data)
        self.titles = scripts.part_titles(script.outline)
        for language in LANGUAGES:
            text = (texts or {}).get(language) or {"subject": "", "parts": []}
            self.fields[f"{language}_subject"] = forms.CharField(
                label=_("Subject"), max_length=SUBJECT_LENGTH, required=False, initial=text["subject"],
                help_text=_("Of an e-mail; other channels leave it out."),
            )  # fmt: skip
            for number, title in enumerate(self.titles, start=1):
                self.fields[f"{language}_part_{number}"] = forms.CharField(
                    label=title,
                    max_length=PART_LENGTH,
                    required=False,
                    initial=text["parts"][number - 1] if len(text["parts"]) >= number else "",
                    widget=forms.Textarea(attrs={"rows": 4, "lang": language}),
                )

    @property
    def languages(self) -> list[tuple[str, str, list[forms.BoundField]]]:
        """Code, name and fields of each language, for the page."""
        return [
            (code, str(LANGUAGE_WORDS[code]), [self[name] for name in self.fields if name.startswith(f"{code}_")])
            for code in LANGUAGES
        ]

    def texts(self) -> dict[str, dict[str, Any]]:
        """Language → subject and parts, as services take them; call it on a valid form."""
        said = self.cleaned_data
        return {
            language: {
                "subject": said[f"{language}_subject"],
                "parts": [said[f"{language}_part_{number}"] for number in range(1, len(self.titles) + 1)],
            }
            for language in LANGUAGES
        }
