"""The library of scripts: what to say in which scene, its wordings and what came of them, and a look at one customer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import BadRequest, ValidationError
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404
from django.utils import timezone
from django.utils.functional import cached_property
from django.utils.translation import get_language, gettext_lazy
from django.utils.translation import gettext as _

from customers.models import Contact, Customer
from customers.search import named_like
from followups.models import FollowUp, Journey, Script, ScriptVariant
from followups.models.scripts import Scene
from followups.rules.scripts import ALWAYS
from followups.scripts import services as scripts
from followups.scripts.forms import LANGUAGE_WORDS, ScriptForm, WordingForm
from followups.scripts.services import ANSWER_DAYS, LANGUAGES, ORDER_DAYS, NothingToSay, Rendered, Result, Results
from tenants.export import write_csv
from tenants.pages import FormPage, TenantView


def first_contact(customer: Customer) -> Contact | None:
    """The contact to ask first: the main one, else the first; nobody who has left or withdrew consent."""
    reachable = Contact.objects.filter(customer=customer, left_on__isnull=True)
    found: Contact | None = reachable.exclude(consent=Contact.Consent.WITHDRAWN).order_by("-is_main", "pk").first()
    return found


def verdict(results: Results) -> str:
    """Whether a wording is better than the others, in words; empty where there is nothing to compare."""
    if not results.has_rivals:
        return ""
    (answer, by_answer), (order, by_order) = results.by_answer, results.by_order
    if answer == "first" and order == "first" and by_answer == by_order:
        return _("%(letter)s is better, by answers and by orders") % {"letter": by_answer}
    said = []
    if answer == "first":
        said.append(_("%(letter)s is better by answers") % {"letter": by_answer})
    if order == "first":
        said.append(_("%(letter)s is better by orders") % {"letter": by_order})
    return "; ".join(said) or _("not decided yet")


@dataclass(frozen=True)
class Line:
    """A script in the library."""

    row: Script
    results: Results
    verdict: str

    @property
    def uses(self) -> int:
        return sum(each.uses for each in self.results.rows)

    @property
    def in_use(self) -> list[Result]:
        return [each for each in self.results.rows if each.variant.retired_at is None]


class ScriptView(TenantView):
    """Something of one script."""

    permission = "scripts:read"
    write_permission = "scripts:write"
    nav = "scripts"

    @cached_property
    def script(self) -> Script:
        found: Script = get_object_or_404(Script.objects.prefetch_related("variants"), pk=self.kwargs["pk"])
        return found


class ScriptLibrary(TenantView):
    """All scripts by scene, with how often each was used and what came of it; `scene` narrows, `export=csv` takes along."""

    permission = "scripts:read"
    nav = "scripts"

    def get(self, request: HttpRequest, **kwargs: Any) -> HttpResponseBase:
        scene = self._asked()
        scripts.ensure_library()
        lines = self._lines(scene)
        if "export" in request.GET:
            self.check_export("customers:export")
            return self.csv_file("scripts", write_csv(_HEADS(), _rows(lines)))
        groups = [
            (code, words, [line for line in lines if line.row.scene == code])
            for code, words in Scene.choices
            if not scene or code == scene
        ]
        return self.render(
            "followups/scripts.html",
            groups=groups,
            scene=scene,
            scenes=Scene.choices,
            answer_days=ANSWER_DAYS,
            order_days=ORDER_DAYS,
            may_write=self.member.can("scripts:write"),
        )

    def _asked(self) -> str:
        known = {"scene", "export"}
        self.refuse_unknown(*known)
        if self.request.GET.get("export", "csv") != "csv":
            raise BadRequest(_("The one form of export is csv."))
        scene = self.request.GET.get("scene", "")
        if scene and scene not in Scene.values:
            raise BadRequest(_("scene is one of: %(known)s.") % {"known": ", ".join(Scene.values)})
        return scene

    def _lines(self, scene: str) -> list[Line]:
        rows = Script.objects.prefetch_related("variants").order_by("scene", "-is_on", "code")
        found = list(rows.filter(scene=scene) if scene else rows)
        results = scripts.results_of(found, timezone.now())
        return [Line(row, results[row.pk], verdict(results[row.pk])) for row in found]


def _HEADS() -> list[str]:  # noqa: N802  # the heads of the file, in the reader's language
    return [
        _("Scene"), _("Script"), _("Variant"), _("In use"), _("Uses"), _("People judged by answers"), _("Answered"),
        _("Answered, low"), _("Answered, high"), _("People judged by orders"), _("Ordered"), _("Ordered, low"),
        _("Ordered, high"),
    ]  # fmt: skip


def _rows(lines: Sequence[Line]) -> Iterator[list[Any]]:
    for line in lines:
        for each in line.results.rows:
            yield [
                line.row.get_scene_display(),
                line.row.title,
                each.variant.letter,
                _("yes") if line.row.is_on and each.variant.retired_at is None else _("no"),
                each.uses,
                each.answered.of,
                each.answered.hits,
                each.answered.low,
                each.answered.high,
                each.converted.of,
                each.converted.hits,
                each.converted.low,
                each.converted.high,
            ]


@dataclass(frozen=True)
class Wording:
    """A wording with its texts, its results, and how it reads for the customer that was chosen."""

    result: Result
    texts: Sequence[tuple[str, str, str, Sequence[tuple[str, str]]]]
    preview: Rendered | None


class ScriptPage(ScriptView):
    """A script: its wordings, what came of each, and how they read for a customer (`q`: the name, `language`)."""

    def get(self, request: HttpRequest, **kwargs: Any) -> HttpResponse:
        known = {"q", "language"}
        self.refuse_unknown(*known)
        language = request.GET.get("language") or scripts.known_language(get_language() or "")
        if language not in LANGUAGES:
            raise BadRequest(_("language is one of: %(known)s.") % {"known": ", ".join(LANGUAGES)})
        q = request.GET.get("q", "").strip()
        customer = self._customer(q)
        results = scripts.results_of([self.script], timezone.now())[self.script.pk]
        titles = scripts.part_titles(self.script.outline)
        wordings = [
            Wording(
                each,
                [
                    (code, str(LANGUAGE_WORDS[code]), text["subject"], list(zip(titles, text["parts"], strict=True)))
                    for code in LANGUAGES
                    if (text := each.variant.text(code))
                ],
                self._preview(customer, each.variant, language),
            )
            for each in results.rows
        ]
        return self.render(
            "followups/script.html",
            script=self.script,
            wordings=wordings,
            results=results,
            verdict=verdict(results),
            customer=customer,
            q=q,
            language=language,
            languages=[(code, LANGUAGE_WORDS[code]) for code in LANGUAGES],
            journeys=list(Journey.objects.filter(scripts.used_by(self.script))),
            fields=field_list(),
            answer_days=ANSWER_DAYS,
            order_days=ORDER_DAYS,
            may_write=self.member.can("scripts:write"),
        )

    def _customer(self, q: str) -> Customer | None:
        """The customer to show it for: the first of the name, else whoever comes first of those the member sees."""
        seen = Customer.objects.visible_to(self.member).filter(closed_on__isnull=True).order_by("search_name", "pk")
        found: Customer | None = (named_like(seen, q) if q else seen).first()
        return found

    def _preview(self, customer: Customer | None, variant: ScriptVariant, language: str) -> Rendered | None:
        if customer is None:
            return None
        try:
            return scripts.render(
                self.script,
                customer=customer,
                contact=first_contact(customer),
                member=self.member,
                language=language,
                variant=variant,
            )
        except NothingToSay:
            return None


def field_list() -> list[tuple[str, str, bool]]:
    """The merge fields: name, what it is, and whether every customer has it."""
    return [(name, str(words), name in ALWAYS) for name, words in scripts.FIELD_WORDS.items()]


class ScriptAdd(FormPage):
    """A new script; its first wording comes next."""

    permission = "scripts:write"
    nav = "scripts"
    heading = gettext_lazy("New script")

    def form(self, data: Any = None, files: Any = None) -> ScriptForm:
        return ScriptForm(data)

    def save(self, form: ScriptForm) -> HttpResponse:
        script = scripts.save_script(member=self.member, **form.cleaned_data)
        messages.success(self.request, _("“%(name)s” is made; now write what to say.") % {"name": script})
        return self.done("wording-add", pk=script.pk)

    def back(self) -> str:
        return self.address("scripts")


class ScriptEdit(ScriptView, FormPage):
    """Another name, scene or channel, and whether it is in use."""

    permission = "scripts:write"

    def title(self) -> str:
        return self.script.title

    def form(self, data: Any = None, files: Any = None) -> ScriptForm:
        return ScriptForm(data, script=self.script)

    def save(self, form: ScriptForm) -> HttpResponse:
        scripts.save_script(member=self.member, script=self.script, **form.cleaned_data)
        messages.success(self.request, _("“%(name)s” is saved.") % {"name": self.script})
        return self.done("script", pk=self.script.pk)

    def back(self) -> str:
        return self.address("script", pk=self.script.pk)


class _WordingPage(ScriptView):
    """A form for the parts of a wording; with the button "Show" it is tried on a customer instead of saved."""

    permission = "scripts:write"

    @cached_property
    def variant(self) -> ScriptVariant | None:
        return None

    def get(self, request: HttpRequest, **kwargs: Any) -> HttpResponse:
        return self.show(WordingForm(script=self.script, texts=self.variant.texts if self.variant else None))

    def post(self, request: HttpRequest, **kwargs: Any) -> HttpResponse:
        form = WordingForm(request.POST, script=self.script)
        if not form.is_valid():
            return self.show(form)
        try:
            if "try" in request.POST:
                return self.show(form, shown=self._tried(form))
            made, outcome = scripts.save_wording(
                script=self.script, member=self.member, texts=form.texts(), variant=self.variant
            )
        except ValidationError as refusal:
            _say(form, refusal)
            return self.show(form)
        if self.variant is not None and outcome == "created":
            words = _("It was used already: it is retired with its results, and %(letter)s takes its place.")
        else:
            words = _("Wording %(letter)s is saved.")
        messages.success(request, words % {"letter": made.letter})
        return self.done("script", pk=self.script.pk)

    def _tried(self, form: WordingForm) -> list[tuple[str, Rendered]]:
        """How it would read for the first customer that the member sees, in each language that is written."""
        written = scripts.checked_texts(self.script, form.texts())
        seen = Customer.objects.visible_to(self.member).filter(closed_on__isnull=True)
        customer = seen.order_by("search_name", "pk").first()
        if customer is None:
            return []
        trial = ScriptVariant(script=self.script, letter="", texts=written)
        return [
            (
                str(LANGUAGE_WORDS[language]),
                scripts.render(
                    self.script,
                    customer=customer,
                    contact=first_contact(customer),
                    member=self.member,
                    language=language,
                    variant=trial,
                ),
            )
            for language in written
        ]

    def show(self, form: WordingForm, shown: Sequence[tuple[str, Rendered]] = ()) -> HttpResponse:
        return self.render(
            "followups/wording.html",
            script=self.script,
            variant=self.variant,
            form=form,
            shown=shown,
            tried="try" in self.request.POST,
            fields=field_list(),
            is_used=self.variant is not None and scripts.is_used(self.variant),
        )


def _say(form: forms.Form, refusal: ValidationError) -> None:
    if not hasattr(refusal, "error_dict"):
        form.add_error(None, refusal)
        return
    for name, errors in refusal.error_dict.items():
        form.add_error(name if name in form.fields else None, errors)


class WordingAdd(_WordingPage):
    """One more wording to try."""


class WordingEdit(_WordingPage):
    """Another text for a wording."""

    @cached_property
    def variant(self) -> ScriptVariant | None:
        rows = ScriptVariant.objects.select_related("script").filter(retired_at__isnull=True)
        found: ScriptVariant = get_object_or_404(rows, pk=self.kwargs["pk"])
        return found

    @cached_property
    def script(self) -> Script:
        assert self.variant is not None  # noqa: S101  # 404 otherwise
        return self.variant.script


class WordingRetire(TenantView):
    """Take a wording out of use; its results stay."""

    permission = "scripts:write"
    nav = "scripts"

    def post(self, request: HttpRequest, pk: int, **kwargs: Any) -> HttpResponse:
        variant: ScriptVariant = get_object_or_404(ScriptVariant.objects.select_related("script"), pk=pk)
        try:
            if scripts.retire(variant=variant, member=self.member) == "updated":
                messages.success(request, _("Wording %(letter)s is retired.") % {"letter": variant.letter})
            else:
                messages.info(request, _("Wording %(letter)s was retired already.") % {"letter": variant.letter})
        except ValidationError as refusal:
            messages.error(request, refusal.messages[0])
        return self.done("script", pk=variant.script_id)


class ScriptForFollowUp(TenantView):
    """What to say about one follow-up: the script that fits best, or the one that is asked for (`script`).

    In Today a fragment that `m` puts into the text; without scripts a page with the text to log.
    """

    permission = "scripts:read"
    nav = "today"

    def get(self, request: HttpRequest, pk: int, **kwargs: Any) -> HttpResponse:
        self.refuse_unknown("script")
        rows = FollowUp.objects.visible_to(self.member).select_related("customer", "contact")
        follow_up: FollowUp = get_object_or_404(rows, pk=pk)
        asked = request.GET.get("script", "")
        prepared = prepare(follow_up, self.member, asked)
        template = "followups/_script_for.html" if self.request.htmx else "followups/script_for.html"
        return self.render(template, prepared=prepared, follow_up=follow_up, customer=follow_up.customer)


@dataclass(frozen=True)
class Prepared:
    """What to say to a customer: the text, and the scripts to choose from."""

    follow_up: FollowUp
    contact: Contact | None
    scripts: Sequence[Script]
    chosen: Script | None
    text: Rendered | None


def prepare(follow_up: FollowUp, member: Any, asked: str = "") -> Prepared:
    """The script for a follow-up, written out; the one of the id `asked` where it is in use."""
    found = scripts.scripts_for(follow_up)
    chosen = next((each for each in found if str(each.pk) == asked), found[0] if found else None)
    contact = follow_up.contact or first_contact(follow_up.customer)
    text = None
    if chosen is not None:
        text = scripts.render(
            chosen,
            customer=follow_up.customer,
            contact=contact,
            member=member,
            language=scripts.language_of(contact),
        )
    return Prepared(follow_up, contact, found, chosen, text)
