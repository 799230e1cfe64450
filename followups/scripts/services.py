"""Scripts: writing the library, what a script says to one customer, and which wording does better."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from django.core.exceptions import ValidationError
from django.db import connection, transaction
from django.db.models import Q, Sum
from django.utils import timezone, translation
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from customers.models import Complaint, Contact, Customer, Interaction, Order, OrderLine, Product
from customers.services.rows import Outcome, clean, error_of, lock
from followups.models import FollowUp, Message, Script, ScriptUse, ScriptVariant
from followups.models.scripts import Scene
from followups.rules.scripts import PARTS, Fault, faults_of, fields_in, fill
from followups.rules.variants import Decided, Rate, assign, best, rate
from followups.scripts.shipped import SHIPPED
from health.models import HealthScore
from segmentation import figures
from segmentation.models import Standing, Tier
from tenants.context import current_tenant
from tenants.events import acting, changes_of, record
from tenants.models import Member
from tenants.templatetags.perennial import long_day

LANGUAGES: Final = ("en", "zh-hans")
"""Languages in which scripts are written."""

SUBJECT_LENGTH: Final = 200
PART_LENGTH: Final = 3000
PRODUCTS_NAMED: Final = 3

ANSWER_DAYS: Final = 14
"""A customer who gets in touch within so many days has answered."""

ORDER_DAYS: Final = 30
"""An order within so many days is a conversion."""

FIELD_WORDS: Final[Mapping[str, Any]] = {
    "customer": gettext_lazy("the customer's name"),
    "firm": gettext_lazy("our firm's name"),
    "member": gettext_lazy("who writes or calls; our firm's name where nobody does"),
    "today": gettext_lazy("today's date"),
    "contact": gettext_lazy("the contact's name"),
    "position": gettext_lazy("the contact's position"),
    "tier": gettext_lazy("the customer's tier"),
    "since": gettext_lazy("customer since, a date"),
    "years": gettext_lazy("how long we have worked together, like 3 years; from one year on"),
    "last_order": gettext_lazy("the date of the last order"),
    "days_silent": gettext_lazy("how long ago the last order was, like 95 days"),
    "order_number": gettext_lazy("the number of the last order"),
    "products": gettext_lazy("what the last order was for, up to three products"),
    "category": gettext_lazy("the category most bought in 12 months"),
    "next_order": gettext_lazy("the date around which the next order is expected"),
    "suggestion": gettext_lazy("what such customers buy next"),
    "complaint": gettext_lazy("what the latest complaint was about"),
    "product": gettext_lazy("the product that was announced"),
    "last_words": gettext_lazy("what the last contact was about"),
}


# ── what a script says ──────────────────────────────────────────────────────


@dataclass(frozen=True)
class Rendered:
    """A script as it goes to one customer.

    `missing` are the fields of which nothing was known: other words stand there. `variant` is the wording, in
    `language`.
    """

    subject: str
    body: str
    variant: ScriptVariant
    language: str
    missing: tuple[str, ...] = ()

    @property
    def missing_words(self) -> str:
        """What was not known, in words."""
        return "; ".join(str(FIELD_WORDS[name]) for name in self.missing)


class NothingToSay(ValueError):
    """A script without a wording in use; its message says so in the reader's language."""


def render(
    script: Script,
    *,
    customer: Customer,
    contact: Contact | None,
    member: Member | None,
    language: str,
    product: Product | None = None,
    complaint: Complaint | None = None,
    variant: ScriptVariant | None = None,
) -> Rendered:
    """The script for a customer in a language (en, zh-hans); another one that it is written in where it is not in that.

    Of several variants the contact always gets the same (rules.variants.assign), unless one is asked for. `product` and
    `complaint` are those that it is about; else the latest complaint. What is not known is left out or said otherwise:
    there is never a hole.

    Raises NothingToSay when the script has no wording in use.
    """
    variants = [each for each in script.variants.all() if each.retired_at is None and each.texts]
    if variant is None:
        if not variants:
            raise NothingToSay(_("“%(script)s” has no wording in use.") % {"script": script.title})
        by_letter = {each.letter: each for each in variants}
        person = f"contact:{contact.pk}" if contact else f"customer:{customer.pk}"
        variant = by_letter[assign(script.code, person, list(by_letter))]
    spoken = _spoken(variant, language)
    text = variant.texts[spoken]
    with translation.override(spoken):
        known = _Known(customer, contact, member, product, complaint)
        templates = [text.get("subject", ""), *text["parts"]]
        values = {name: known.say(name) for each in templates for name in fields_in(each)}
        subject, *parts = [fill(each, values) for each in templates]
    missing = dict.fromkeys(name for each in (subject, *parts) for name in each.missing)
    body = "\n\n".join(each.text for each in parts if each.text)
    return Rendered(" ".join(subject.text.split())[:SUBJECT_LENGTH], body, variant, spoken, tuple(missing))


def language_of(contact: Contact | None) -> str:
    """The language to write to a contact in: the contact's own, else the firm's."""
    return known_language(contact.language if contact and contact.language else current_tenant().language)


def known_language(code: str) -> str:
    """The language of scripts behind a language's code: zh, zh-cn and zh-Hans are zh-hans; all others English."""
    return "zh-hans" if code.lower().startswith("zh") else "en"


def _spoken(variant: ScriptVariant, language: str) -> str:
    for code in (known_language(language), known_language(current_tenant().language), *LANGUAGES):
        if code in variant.texts:
            return code
    raise NothingToSay(_("“%(script)s” has no wording in use.") % {"script": variant.script.title})


class _Known:
    """What is known of a customer, asked for field by field: a script pays only for what it says."""

    def __init__(
        self,
        customer: Customer,
        contact: Contact | None,
        member: Member | None,
        product: Product | None,
        complaint: Complaint | None,
    ) -> None:
        self.customer, self.contact, self.member = customer, contact, member
        self.product, self.complaint = product, complaint
        self.today = current_tenant().today()
        self._read: dict[str, Any] = {}

    def say(self, name: str) -> str:
        """The value of a field in the active language; empty where nothing is known."""
        said: str | None = getattr(self, f"_{name}")()
        return " ".join((said or "").split())

    def _once(self, name: str, read: Callable[[], Any]) -> Any:
        if name not in self._read:
            self._read[name] = read()
        return self._read[name]

    @property
    def standing(self) -> Standing | None:
        found: Standing | None = self._once("standing", lambda: Standing.objects.filter(customer=self.customer).first())
        return found

    @property
    def order(self) -> Order | None:
        rows = Order.objects.filter(customer=self.customer, kind=Order.Kind.ORDER, status=Order.Status.PLACED)
        found: Order | None = self._once("order", lambda: rows.order_by("-placed_on", "-pk").first())
        return found

    def _customer(self) -> str:
        return self.customer.name

    def _firm(self) -> str:
        return current_tenant().name

    def _member(self) -> str:
        return str(self.member) if self.member else current_tenant().name

    def _today(self) -> str:
        return long_day(self.today)

    def _contact(self) -> str | None:
        return self.contact.name if self.contact else None

    def _position(self) -> str | None:
        return self.contact.title if self.contact else None

    def _tier(self) -> str | None:
        return str(Tier(self.standing.tier).label) if self.standing and self.standing.tier else None

    def _began(self) -> dt.date | None:
        return self.customer.since or (self.standing.relation_since if self.standing else None)

    def _since(self) -> str | None:
        began = self._began()
        return long_day(began) if began else None

    def _years(self) -> str | None:
        began = self._began()
        if began is None:
            return None
        years = self.today.year - began.year - ((self.today.month, self.today.day) < (began.month, began.day))
        return ngettext("%(count)d year", "%(count)d years", years) % {"count": years} if years >= 1 else None

    def _last_order(self) -> str | None:
        return long_day(self.order.placed_on) if self.order else None

    def _days_silent(self) -> str | None:
        days = (self.today - self.order.placed_on).days if self.order else 0
        return ngettext("%(days)d day", "%(days)d days", days) % {"days": days} if days > 0 else None

    def _order_number(self) -> str | None:
        return self.order.external_id if self.order else None

    def _products(self) -> str | None:
        if self.order is None:
            return None
        lines = OrderLine.objects.filter(order=self.order).select_related("product").order_by("-money", "position")
        names = list(dict.fromkeys(str(line.product) for line in lines[: PRODUCTS_NAMED * 3]))[:PRODUCTS_NAMED]
        return _(", ").join(names) if names else None

    def _category(self) -> str | None:
        lines = OrderLine.objects.filter(
            order__customer=self.customer,
            order__kind=Order.Kind.ORDER,
            order__status=Order.Status.PLACED,
            order__placed_on__gte=self.today - dt.timedelta(days=365),
        ).exclude(product__category="")
        sums = (
            lines.values_list("product__category").annotate(spent=Sum("money")).order_by("-spent", "product__category")
        )
        found = sums.first()
        return found[0] if found else None

    def _next_order(self) -> str | None:
        health = HealthScore.objects.filter(customer=self.customer).only("last_order_on", "median_gap").first()
        if health is None or health.last_order_on is None or not health.median_gap:
            return None
        expected = health.last_order_on + dt.timedelta(days=round(health.median_gap))
        return long_day(expected) if expected > self.today else None

    def _suggestion(self) -> str | None:
        found = figures.suggestions(self.customer, figures.last_search())
        return found[0].consequent_label if found else None

    def _complaint(self) -> str | None:
        found = self.complaint or Complaint.objects.filter(customer=self.customer).order_by("-opened_at", "-pk").first()
        return found.topic if found else None

    def _product(self) -> str | None:
        return str(self.product) if self.product else None

    def _last_words(self) -> str | None:
        talks = Interaction.objects.filter(customer=self.customer).exclude(topic="")
        return talks.order_by("-at", "-pk").values_list("topic", flat=True).first()


# ── which script for what ───────────────────────────────────────────────────


def scene_of(follow_up: FollowUp) -> str:
    """The scene of a follow-up, by the rule that raised it."""
    rule = follow_up.rule
    for beginning, scene in (
        ("signal:order_silence", Scene.DORMANT),
        ("signal:complaint", Scene.COMPLAINT),
        ("survey:", Scene.COMPLAINT),
        ("care:", Scene.FESTIVAL),
        ("signal:spec", Scene.RENEWAL),
    ):
        if rule.startswith(beginning):
            return scene.value
    return Scene.REGULAR.value


def scripts_for(follow_up: FollowUp) -> list[Script]:
    """The scripts in use, the one that fits the follow-up best first: its own, its scene's, then all others.

    One for another channel than the follow-up's comes after one for this channel or for any.
    """
    own, scene = str((follow_up.facts or {}).get("script") or ""), scene_of(follow_up)
    rows = list(Script.objects.filter(is_on=True).prefetch_related("variants"))
    usable = [row for row in rows if any(each.retired_at is None and each.texts for each in row.variants.all())]
    places = {each: place for place, each in enumerate(Scene.values)}
    return sorted(
        usable,
        key=lambda row: (
            row.code != own,
            row.scene != scene,
            row.channel not in ("", follow_up.channel),
            places[row.scene],
            row.code,
        ),
    )


# ── the library ─────────────────────────────────────────────────────────────


def ensure_library() -> int:
    """Put what ships and is not there yet into the library; returns how many scripts.

    What ships is switched off, never deleted, so what is missing has never been there. Two at once add it once.
    """
    there = set(Script.objects.values_list("code", flat=True))
    wanted = [each for each in SHIPPED if each.code not in there]
    if not wanted:
        return 0
    with transaction.atomic():
        Script.objects.bulk_create(
            (Script(code=each.code, scene=each.scene, channel=each.channel, outline=each.outline) for each in wanted),
            ignore_conflicts=True,
        )
        rows = {row.code: row for row in Script.objects.filter(code__in=[each.code for each in wanted])}
        ScriptVariant.objects.bulk_create(
            (
                ScriptVariant(
                    script=rows[each.code],
                    letter=letter,
                    texts={
                        language: {"subject": subject, "parts": list(parts)}
                        for language, (subject, parts) in texts.items()
                    },
                )
                for each in wanted
                for letter, texts in each.variants.items()
            ),
            ignore_conflicts=True,
        )
    return len(wanted)


def save_script(*, member: Member, script: Script | None = None, **fields: Any) -> Script:
    """A new script, or another name, scene, channel, outline or use of one.

    A new one has code, scene and outline. The outline of one that has wordings stays. Raises ValidationError by field.
    """
    with acting(member):
        if script is None:
            script = Script(**fields)
            _check_script(script)
            script.save(force_insert=True)
            record("created", script, {"code": [None, script.code]})
            return script
        lock(script)
        changes = changes_of(script, fields)
        if "outline" in changes and script.variants.exists():
            words = _("Its wordings are built that way; make a new script for another outline.")
            raise ValidationError({"outline": error_of(words, "has_wordings")})
        if "code" in changes:
            raise ValidationError({"code": error_of(_("A code stays as it is: follow-ups name it."), "fixed")})
        if changes:
            for name in changes:
                setattr(script, name, fields[name])
            _check_script(script)
            script.save(update_fields=[*changes, "updated_at"])
            record("updated", script, changes)
        return script


def _check_script(script: Script) -> None:
    def wrong(row: Script) -> dict[str, Any]:
        found: dict[str, Any] = {}
        if Script.objects.filter(code=row.code).exclude(pk=row.pk).exists():
            found["code"] = error_of(_("There is a script of this code already."), "taken")
        if not row.name.strip() and row.code not in {each.code for each in SHIPPED}:
            found["name"] = error_of(_("This is needed."), "required")
        return found

    clean(script, check=wrong)


def save_wording(
    *, script: Script, member: Member, texts: Mapping[str, Mapping[str, Any]], variant: ScriptVariant | None = None
) -> tuple[ScriptVariant, Outcome]:
    """A new variant of a script, or another wording of one: language → subject and parts.

    A wording that somebody has used is retired and a new letter takes its place, so that its rates stay those of what
    was said. Languages with nothing in them are left out. Raises ValidationError by field, like "zh-hans_part_1": for
    an unknown field or one that would leave a hole, a missing part, and when no language is written.
    """
    with acting(member):
        lock(script)
        written = checked_texts(script, texts)
        if variant is not None:
            lock(variant)
            if variant.texts == written:
                return variant, "unchanged"
            if not is_used(variant):
                before, variant.texts = variant.texts, written
                variant.save(update_fields=["texts", "updated_at"])
                record("updated", variant, {"texts": [before, written]})
                return variant, "updated"
            _retire(variant)
        letters = set(ScriptVariant.objects.filter(script=script).values_list("letter", flat=True))
        free = [letter for letter in _letters() if letter not in letters]
        if not free:
            raise ValidationError(_("This script has had as many wordings as there are letters; make a new script."))
        made = ScriptVariant(script=script, letter=free[0], texts=written)
        made.save(force_insert=True)
        record("created", made, {"letter": [None, made.letter], "texts": [None, written]})
        return made, "created"


def _letters() -> list[str]:
    alphabet = [chr(code) for code in range(ord("A"), ord("Z") + 1)]
    return alphabet + [f"{letter}{number}" for number in range(2, 10) for letter in alphabet]


def checked_texts(script: Script, texts: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """The texts of a wording as they are kept. Raises ValidationError as `save_wording` does."""
    wrong: dict[str, Any] = {}
    written: dict[str, Any] = {}
    for language, text in texts.items():
        if language not in LANGUAGES:
            wrong[language] = error_of(
                _("Scripts are written in: %(known)s.") % {"known": ", ".join(LANGUAGES)}, "language"
            )
            continue
        subject = " ".join(str(text.get("subject") or "").split())
        parts = [str(part or "").strip() for part in text.get("parts") or []]
        if not subject and not any(parts):
            continue
        if len(parts) != len(script.parts):
            words = _("This outline has %(count)d parts.") % {"count": len(script.parts)}
            wrong[f"{language}_part_1"] = error_of(words, "parts")
            continue
        for number, part in enumerate(parts, start=1):
            if not part:
                wrong[f"{language}_part_{number}"] = error_of(_("This part is still empty."), "required")
            elif said := _faults(part, PART_LENGTH):
                wrong[f"{language}_part_{number}"] = said
        if said := _faults(subject, SUBJECT_LENGTH):
            wrong[f"{language}_subject"] = said
        written[language] = {"subject": subject, "parts": parts}
    if not written and not wrong:
        wrong[f"{LANGUAGES[0]}_part_1"] = error_of(_("Write it in at least one language."), "required")
    if wrong:
        raise ValidationError(wrong)
    return written


def _faults(text: str, most: int) -> list[ValidationError]:
    if len(text) > most:
        return [error_of(_("At most %(count)d characters.") % {"count": most}, "too_long")]
    return [error_of(fault_words(fault), fault.code) for fault in faults_of(text)]


def fault_words(fault: Fault) -> str:
    """What is wrong with a template, as a sentence in the reader's language."""
    words = _(fault.words).format(**fault.values)
    return _("%(sentence)s.") % {"sentence": words[:1].upper() + words[1:]}


def retire(*, variant: ScriptVariant, member: Member) -> Outcome:
    """Take a wording out of use; its results stay. Retired again it changes nothing.

    Raises ValidationError when it is the last one in use: switch the script off instead.
    """
    with acting(member):
        lock(variant.script)
        lock(variant)
        if variant.retired_at is not None:
            return "unchanged"
        if not variant.script.variants.filter(retired_at__isnull=True).exclude(pk=variant.pk).exists():
            raise ValidationError(_("It is the last wording in use; switch the script off instead."), code="last")
        _retire(variant)
        return "updated"


def _retire(variant: ScriptVariant) -> None:
    variant.retired_at = timezone.now()
    variant.save(update_fields=["retired_at", "updated_at"])
    record("retired", variant, {"retired_at": [None, variant.retired_at.isoformat()]})


def is_used(variant: ScriptVariant) -> bool:
    """Whether somebody has said it or sent it."""
    return ScriptUse.objects.filter(variant=variant).exists() or Message.objects.filter(script=variant).exists()


def note_use(*, variant: ScriptVariant, interaction: Interaction, follow_up: FollowUp | None = None) -> None:
    """Note that a logged contact went by a wording; it goes again with the contact. Once for each contact.

    Call it in the transaction that logs the contact.
    """
    ScriptUse.objects.get_or_create(
        interaction=interaction,
        defaults={
            "variant": variant,
            "customer_id": interaction.customer_id,
            "contact_id": interaction.contact_id,
            "member_id": interaction.member_id,
            "follow_up": follow_up,
            "channel": interaction.channel,
            "at": interaction.at,
        },
    )


def note_script(variant_id: int | None, interaction: Interaction, follow_up: FollowUp) -> None:
    """Note the wording of that id for a logged contact; none, or one that is not there, is nothing to note."""
    variant = ScriptVariant.objects.filter(pk=variant_id).first() if variant_id else None
    if variant is not None:
        note_use(variant=variant, interaction=interaction, follow_up=follow_up)


# ── which does better ───────────────────────────────────────────────────────


@dataclass(frozen=True)
class Result:
    """What came of a wording: how often it was said, the answered and the converted share of whom it was said to."""

    variant: ScriptVariant
    uses: int
    answered: Rate
    converted: Rate


@dataclass(frozen=True)
class Results:
    """The results of a script's wordings, and whether one of those in use is better than each other one."""

    rows: Sequence[Result]
    by_answer: tuple[Decided, str]
    by_order: tuple[Decided, str]

    @property
    def has_rivals(self) -> bool:
        return sum(row.variant.retired_at is None for row in self.rows) > 1


_RESULTS: Final = f"""
WITH said AS (
    SELECT u.variant_id, u.customer_id, u.contact_id, u.at, COALESCE(i.answered, false) AS answered
    FROM followups_scriptuse u
    JOIN customers_interaction i ON i.tenant_id = u.tenant_id AND i.id = u.interaction_id
    WHERE u.tenant_id = %(tenant)s AND u.variant_id = ANY(%(variants)s)
    UNION ALL
    SELECT m.script_id, m.customer_id, m.contact_id, m.sent_at, m.replied_at IS NOT NULL
    FROM followups_message m
    WHERE m.tenant_id = %(tenant)s AND m.script_id = ANY(%(variants)s) AND m.status = 'sent'
), uses AS (
    SELECT variant_id, count(*) AS uses FROM said GROUP BY variant_id
), first AS (
    SELECT DISTINCT ON (variant_id, COALESCE(contact_id, -customer_id)) * FROM said
    ORDER BY variant_id, COALESCE(contact_id, -customer_id), at
), judged AS (
    SELECT f.variant_id,
        f.at < %(now)s - interval '{ANSWER_DAYS} days' AS can_answer,
        f.answered OR EXISTS (
            SELECT 1 FROM customers_interaction a
            WHERE a.tenant_id = %(tenant)s AND a.customer_id = f.customer_id AND a.direction = 'inbound'
              AND a.at > f.at AND a.at <= f.at + interval '{ANSWER_DAYS} days') AS answered,
        f.at < %(now)s - interval '{ORDER_DAYS} days' AS can_order,
        EXISTS (
            SELECT 1 FROM customers_order o
            WHERE o.tenant_id = %(tenant)s AND o.customer_id = f.customer_id AND o.kind = 'order'
              AND o.status = 'placed' AND o.placed_at > f.at AND o.placed_at <= f.at + interval '{ORDER_DAYS} days'
        ) AS ordered
    FROM first f
)
SELECT u.variant_id, u.uses,
    count(*) FILTER (WHERE can_answer), count(*) FILTER (WHERE can_answer AND answered),
    count(*) FILTER (WHERE can_order), count(*) FILTER (WHERE can_order AND ordered)
FROM uses u LEFT JOIN judged j USING (variant_id) GROUP BY u.variant_id, u.uses
"""


def results_of(scripts: Sequence[Script], now: dt.datetime) -> dict[int, Results]:
    """Script id → results as of `now`, in one query. `scripts` come with their variants.

    Each person counts once for a wording, with the first time; and only once the time to answer (ANSWER_DAYS) or to
    order (ORDER_DAYS) has passed, so that nobody counts as silent who still may answer.
    """
    variants = [each for script in scripts for each in script.variants.all()]
    found: dict[int, tuple[int, ...]] = {}
    if variants:
        with connection.cursor() as cursor:
            ids = [each.pk for each in variants]
            cursor.execute(_RESULTS, {"tenant": current_tenant().pk, "variants": ids, "now": now})
            found = {row[0]: row[1:] for row in cursor.fetchall()}
    results: dict[int, Results] = {}
    for script in scripts:
        rows = []
        for each in script.variants.all():
            uses, could_answer, answered, could_order, ordered = found.get(each.pk, (0, 0, 0, 0, 0))
            rows.append(Result(each, uses, rate(answered, could_answer), rate(ordered, could_order)))
        in_use = [row for row in rows if row.variant.retired_at is None]
        results[script.pk] = Results(
            rows,
            best({row.variant.letter: row.answered for row in in_use}),
            best({row.variant.letter: row.converted for row in in_use}),
        )
    return results


def used_by(script: Script) -> Q:
    """The condition that a journey names the script."""
    return Q(definition__steps__contains=[{"script": script.code}])


def part_titles(outline: str) -> list[str]:
    """What the parts of an outline are called, in the reader's language."""
    words = {
        "text": _("Text"),
        "attention": _("Attention"),
        "interest": _("Interest"),
        "desire": _("Desire"),
        "action": _("Action"),
        "emotion": _("Emotion"),
        "benefit": _("Benefit"),
    }
    return [words[part] for each, parts in PARTS.items() if each == outline for part in parts]
