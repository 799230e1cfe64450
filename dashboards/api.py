"""The API of the policy: read it, change it, try a change out, compare versions and go back to one."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any, ClassVar, Final, cast

from django.db.models import QuerySet
from django.utils.http import parse_etags
from django.utils.translation import gettext as _
from drf_spectacular.extensions import OpenApiSerializerFieldExtension
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.plumbing import ResolvedComponent
from drf_spectacular.utils import OpenApiParameter
from rest_framework import exceptions, serializers
from rest_framework.request import Request
from rest_framework.response import Response

from dashboards.api_signals import SignalDryRunSerializer
from dashboards.api_signals import told as signals_told
from dashboards.dry_run import Alternative, DryRun, Load, alternatives, dry_run
from dashboards.dry_run_signals import replay_signals
from dashboards.matrix import Cell, Pair
from health.figures import BANDS
from risk.models import Alert
from segmentation.rules.policy import TierPolicy
from tenants.api.fields import Moment, Money, Strict
from tenants.api.lists import query_fault
from tenants.api.resources import Outcome, Resource
from tenants.api.schema import bodies
from tenants.context import current_tenant
from tenants.filters import id_number
from tenants.models import PolicyVersion
from tenants.policies import (
    NOTE_LENGTH,
    InvalidPolicy,
    Policy,
    PolicyFault,
    StalePolicy,
    active_policy,
    check_document,
    complete_document,
    differences,
    pack_document,
    parsed_document,
    policy_numbered,
    registered,
    restore,
    save_policy,
    versions,
)
from tenants.policy_words import PACK_LABELS, fault, title_of
from tenants.problems import BadParameters, Fault, IfMatchMissing, Stale, Unprocessable, pointer, problem_of
from tenants.rules.documents import absent, merge_patch
from tenants.rules.sections import PACKS, PolicySection

MAX_DEPTH: Final = 20
"""Objects and lists inside one another; a policy has six."""


# ── what comes in and goes out ──────────────────────────────────────────────


class PolicyDocument(serializers.Field):
    """A whole policy: a section per app, each with all its settings."""

    def to_representation(self, value: Any) -> Any:
        return value

    def to_internal_value(self, data: Any) -> dict[str, Any]:
        if not isinstance(data, Mapping):
            raise serializers.ValidationError(_("A policy is an object."), code="invalid")
        return dict(_plain(data))


class CompleteDocument(PolicyDocument):
    """The document of a version, with what the version did not know yet."""

    def to_representation(self, value: PolicyVersion) -> Any:
        return complete_document(Policy(value.number, value.pack, value.document))


class PolicyPatch(PolicyDocument):
    """JSON merge patch of a policy: what is absent stays, null takes a tier's cadence or weights away."""


def _plain(value: Any, depth: int = 0) -> Any:
    """The value with floats for exact decimals, as policies have them; refused when it is nested without end."""
    if depth > MAX_DEPTH:
        raise serializers.ValidationError(_("Nested too deeply."), code="invalid")
    if isinstance(value, Mapping):
        return {key: _plain(inner, depth + 1) for key, inner in value.items()}
    if isinstance(value, list):
        return [_plain(inner, depth + 1) for inner in value]
    return float(value) if isinstance(value, Decimal) else value


class VersionSerializer(serializers.ModelSerializer):
    """A saved version of the policy: who saved it, when, and why. The highest number is in force."""

    saved_at = Moment(source="created_at", read_only=True)
    saved_by = serializers.CharField(source="created_by_id", allow_null=True, read_only=True)
    saved_by_name = serializers.CharField(source="created_by.user.name", default=None, read_only=True)

    class Meta:
        model = PolicyVersion
        fields = ["number", "pack", "note", "saved_at", "saved_by", "saved_by_name"]


class PolicySerializer(VersionSerializer):
    """The same, with the document: every section and setting, also those that the version did not know yet."""

    document = CompleteDocument(source="*", read_only=True)

    class Meta(VersionSerializer.Meta):
        fields = [*VersionSerializer.Meta.fields, "document"]


class ReasonSerializer(Strict):
    """Why the policy changes; what else an answer of the policy holds may come back and is passed over."""

    note = serializers.CharField(max_length=NOTE_LENGTH, help_text="Why; it stays with the version.")
    number = serializers.IntegerField(read_only=True)
    pack = serializers.CharField(read_only=True)
    saved_at = Moment(read_only=True)
    saved_by = serializers.CharField(read_only=True)
    saved_by_name = serializers.CharField(read_only=True)


class ReplacePolicySerializer(ReasonSerializer):
    """A whole policy, and why."""

    document = PolicyDocument()


class ChangePolicySerializer(ReasonSerializer):
    """A change of the policy, and why."""

    document = PolicyPatch()


class RestorePolicySerializer(Strict):
    """Which version shall be in force again, and why."""

    number = serializers.IntegerField(min_value=1, max_value=2**31 - 1)
    note = serializers.CharField(max_length=NOTE_LENGTH, help_text="Why; it stays with the version.")


class TrySerializer(Strict):
    """What to try out: a whole policy, or a merge patch of the one in force."""

    document = PolicyDocument(required=False)
    patch = PolicyPatch(required=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if len({"document", "patch"} & set(attrs)) != 1:
            raise serializers.ValidationError(_("Send either document or patch."), code="invalid")
        return attrs


class TrySignalsSerializer(TrySerializer):
    """The same, and of which signal the customers are wanted as well."""

    hits_of = serializers.ChoiceField(choices=Alert.Signal.choices, required=False)


class DifferenceSerializer(serializers.Serializer):
    """A setting that differs; null is also what one of the two does not have."""

    pointer = serializers.CharField(help_text="Its place in the document: /tiers/silver_best.")
    title = serializers.CharField(help_text="What people call it.")
    before = serializers.JSONField(allow_null=True)
    after = serializers.JSONField(allow_null=True)


class ComparisonSerializer(serializers.Serializer):
    """Two versions side by side: every setting that differs. Lists are compared as a whole."""

    before = serializers.IntegerField()
    after = serializers.IntegerField()
    differences = DifferenceSerializer(many=True)


class ShippedPolicySerializer(serializers.Serializer):
    """A shipped policy."""

    pack = serializers.ChoiceField(choices=PACKS)
    name = serializers.CharField()
    document = PolicyDocument()


class ShippedPoliciesSerializer(serializers.Serializer):
    """All shipped policies."""

    results = ShippedPolicySerializer(many=True)


class CellSerializer(serializers.Serializer):
    """Customers who go from one tier, or colour, to another, or stay; money in the firm's currency."""

    before = serializers.CharField(help_text="Empty: none.")
    after = serializers.CharField(help_text="Empty: none.")
    customers = serializers.IntegerField()
    money = Money()


class ColoursSerializer(serializers.Serializer):
    """Customers by colour under the version in force and under the draft, on the same day and facts.

    changed have another one. before and after are green, yellow, red or none (not enough data).
    """

    changed = serializers.IntegerField()
    cells = CellSerializer(many=True)


class WarnedSerializer(serializers.Serializer):
    """Customers with a lapse warning, and their money at risk."""

    customers = serializers.IntegerField()
    money_at_risk = Money(source="money")


class LapseWarningsSerializer(serializers.Serializer):
    """Lapse warnings now, and under the draft with the percents of the last night.

    needs_fit: the draft changes what only a model fitted anew can say.
    """

    before = WarnedSerializer()
    after = WarnedSerializer()
    has_model = serializers.BooleanField(help_text="If not, the days without an order decide.")
    needs_fit = serializers.BooleanField()


class LoadSerializer(serializers.Serializer):
    """Touches a week that a person's customers ask for; without member, those of customers without an owner."""

    member = serializers.CharField(allow_null=True)
    name = serializers.CharField(allow_null=True)
    before = serializers.IntegerField()
    after = serializers.IntegerField()
    capacity = serializers.IntegerField()
    over = serializers.IntegerField()


class AlternativeSerializer(serializers.Serializer):
    """A change of the draft that makes less work."""

    words = serializers.CharField()
    touches = serializers.IntegerField()
    fits = serializers.BooleanField()
    patch = PolicyPatch(help_text="Merge it into the draft.")


class DryRunSerializer(serializers.Serializer):
    """What a draft would do, as of a day. Nothing of it is written.

    moved change tier in the end: at_once of them tonight, the others after the days of grace, the first on falls_on.
    anyway of them move under the version in force too, to the same tier or to their first. Touches are a week's, without automatic ones.
    """

    as_of = serializers.DateField()
    version = serializers.IntegerField(help_text="The version in force, with which the draft is compared.")
    currency = serializers.CharField()
    customers = serializers.IntegerField()
    moved = serializers.IntegerField()
    rises = serializers.IntegerField()
    falls = serializers.IntegerField()
    falls_on = serializers.DateField(allow_null=True)
    at_once = serializers.IntegerField()
    anyway = serializers.IntegerField()
    tiers_before = serializers.ListField(child=serializers.CharField(), help_text="Best first.")
    tiers_after = serializers.ListField(child=serializers.CharField(), help_text="Best first.")
    cells = CellSerializer(many=True)
    colours = ColoursSerializer(allow_null=True, help_text="Null: the draft says nothing else about them.")
    forecast = LapseWarningsSerializer(
        allow_null=True, help_text="Null: the draft says nothing else about it, or no night has forecast yet."
    )
    load = LoadSerializer(many=True)
    touches_before = serializers.IntegerField()
    touches_after = serializers.IntegerField()
    capacity = serializers.IntegerField()
    people = serializers.IntegerField()
    people_needed = serializers.IntegerField()
    fits = serializers.BooleanField()
    empty_tiers = serializers.ListField(child=serializers.CharField())
    warnings = serializers.ListField(child=serializers.CharField(), help_text="In words.")
    alternatives = AlternativeSerializer(many=True)


# ── addresses ───────────────────────────────────────────────────────────────

_IF_MATCH = OpenApiParameter(
    "If-Match", str, OpenApiParameter.HEADER, required=True, description="The ETag of the policy that you have read."
)
_ETAG = OpenApiParameter(
    "ETag", str, OpenApiParameter.HEADER, response=["200"], description="The number of the version in force, quoted."
)
_COMPARED = [
    OpenApiParameter("from", int, OpenApiParameter.QUERY, required=True, description="Number of a version."),
    OpenApiParameter("to", int, OpenApiParameter.QUERY, description="Number of a version; default: the one in force."),
]


class PolicyViewSet(Resource):
    """The policy: one document in force, and its versions."""

    resource = "policy"
    queryset: Any = PolicyVersion.objects
    serializer_class = VersionSerializer
    orderings: ClassVar[tuple[str, ...]] = ("-number", "number")
    key = "number"
    lookup_url_kwarg = "number"
    parameters: ClassVar[Mapping[str, frozenset[str]]] = {"compare": frozenset({"from", "to"})}

    def visible(self) -> QuerySet[PolicyVersion]:
        return versions()

    def get_serializer_class(self) -> type[Any]:
        return VersionSerializer if self.action == "list" else PolicySerializer

    @bodies(responses=PolicySerializer)
    def retrieve(self, request: Request, **_address: str) -> Response:
        """One version with its document. The address has its number."""
        return self.one(self.get_object())

    @bodies(responses=PolicySerializer, parameters=[_ETAG])
    def in_force(self, request: Request) -> Response:
        """The policy in force. Its ETag is what a change has to name in If-Match."""
        return self._version(active_policy().number)

    @bodies(request=ReplacePolicySerializer, responses=PolicySerializer, parameters=[_IF_MATCH, _ETAG])
    def replace(self, request: Request) -> Response:
        """Put a whole policy into force, as a new version. Every section and setting has to be there."""
        policy = self._based_on()
        said, faults = self._read(ReplacePolicySerializer)
        return self._save(policy, said, faults, said.get("document"))

    @bodies(request=ChangePolicySerializer, responses=PolicySerializer, parameters=[_IF_MATCH, _ETAG])
    def change(self, request: Request) -> Response:
        """Change some settings, as a new version. JSON merge patch: what is absent stays; lists are replaced."""
        policy = self._based_on()
        said, faults = self._read(ChangePolicySerializer)
        patch = said.get("document")
        merged = None if patch is None else merge_patch(complete_document(policy), patch)
        return self._save(policy, said, faults, merged)

    @bodies(request=RestorePolicySerializer, responses=PolicySerializer, parameters=[_IF_MATCH, _ETAG])
    def restore(self, request: Request) -> Response:
        """Put an older version into force again, as a new one."""
        policy = self._based_on()
        said, faults = self._read(RestorePolicySerializer)
        number = said.get("number")
        if number is not None and not PolicyVersion.objects.filter(number=number).exists():
            faults.append(Fault("#/number", "not_found", _("There is no such version.")))
        if faults:
            raise Unprocessable(faults)
        return self._written(policy, lambda: restore(said["number"], said["note"], based_on=policy.number))

    @bodies(responses=ComparisonSerializer, parameters=_COMPARED)
    def compare(self, request: Request) -> Response:
        """Two versions side by side."""
        found: dict[str, Policy] = {}
        faults: list[Fault] = []
        for name, number in (("from", None), ("to", active_policy().number)):
            try:
                found[name] = self._asked_for(name, number)
            except BadParameters as wrong:
                faults += wrong.faults
        if faults:
            raise BadParameters(faults)
        rows = [
            {
                "pointer": pointer("", *each.path),
                "title": title_of(each.path),
                "before": each.before,
                "after": each.after,
            }
            for each in differences(*(complete_document(found[name]) for name in ("from", "to")))
        ]
        told = {"before": found["from"].number, "after": found["to"].number, "differences": rows}
        return Response(ComparisonSerializer(told).data)

    @bodies(responses=ShippedPoliciesSerializer)
    def packs(self, request: Request) -> Response:
        """The shipped policies, to look at or to start from."""
        rows = [{"pack": pack, "name": PACK_LABELS[pack], "document": pack_document(pack)} for pack in PACKS]
        return Response(ShippedPoliciesSerializer({"results": rows}).data)

    @bodies(request=TrySerializer, responses=DryRunSerializer)
    def dry_run(self, request: Request) -> Response:
        """Try a policy out: who would change tier or colour, and how much work that makes. Nothing is written."""
        draft, _said = self._draft(TrySerializer)
        run = dry_run(draft)
        return Response(DryRunSerializer(_told(run)).data)

    @bodies(request=TrySignalsSerializer, responses=SignalDryRunSerializer)
    def dry_run_signals(self, request: Request) -> Response:
        """Try a policy's signals out on a past quarter: for whom they would have fired, and who then lapsed.

        The quarter ends so long ago that it is known of everybody whether an order came. Nothing is written.
        """
        draft, said = self._draft(TrySignalsSerializer)
        told = signals_told(replay_signals(draft), active_policy().number, said.get("hits_of"), self.member)
        return Response(SignalDryRunSerializer(told).data)

    # ── gates ───────────────────────────────────────────────────────────────

    def _draft(self, kind: type[TrySerializer]) -> tuple[Any, dict[str, Any]]:
        """The whole document that is to be tried out, and what else was said. Raises Unprocessable with all that is wrong."""
        said, faults = self._read(kind)
        name = "document" if "document" in said else "patch"
        draft = said.get(name)
        if name == "patch" and draft is not None:
            draft = merge_patch(complete_document(active_policy()), draft)
        faults += [_fault(each, name) for each in _everything_wrong(draft)]
        if faults or draft is None:
            raise Unprocessable(faults)
        return draft, said

    def _based_on(self) -> Policy:
        """The policy in force, which the caller has to have seen. Raises IfMatchMissing, Stale."""
        said = self.request.headers.get("If-Match")
        if said is None:
            raise IfMatchMissing
        policy = active_policy()
        if not {"*", _etag(policy.number)} & set(parse_etags(said)):
            raise Stale(_etag(policy.number))
        return policy

    def _read(self, kind: type[Strict]) -> tuple[dict[str, Any], list[Fault]]:
        """What of the body can be read, and what is wrong with the rest."""
        sent: Any = self.request.data
        reader = kind(data=sent)
        if reader.is_valid(raise_exception=not isinstance(sent, Mapping)):
            return dict(reader.validated_data), []
        problem = problem_of(exceptions.ValidationError(reader.errors))
        readable = {name: field for name, field in reader.fields.items() if name not in reader.errors}
        said = {
            name: field.run_validation(sent[name])
            for name, field in readable.items()
            if not field.read_only and name in sent
        }
        return said, [*problem.faults] if problem else []

    def _save(self, policy: Policy, said: Mapping[str, Any], faults: Sequence[Fault], document: Any) -> Response:
        found = [*faults, *(_fault(each) for each in _everything_wrong(document))]
        if found:
            raise Unprocessable(found)
        return self._written(
            policy,
            lambda: save_policy(document, pack=_pack(document), note=said["note"], based_on=policy.number),
        )

    def _written(self, policy: Policy, write: Callable[[], PolicyVersion]) -> Response:
        try:
            version = write()
        except InvalidPolicy as refused:
            raise Unprocessable([_fault(each) for each in refused.faults]) from refused
        except StalePolicy as stale:
            raise Stale(_etag(stale.number)) from stale
        return self._version(version.number, "unchanged" if version.number == policy.number else "updated")

    def _version(self, number: int, outcome: Outcome | None = None) -> Response:
        response = self.one(self.visible().defer(None).get(number=number), outcome=outcome)
        response["ETag"] = _etag(number)
        return response

    def _asked_for(self, name: str, default: int | None) -> Policy:
        said = self.request.query_params.get(name, "" if default is None else str(default))
        number = id_number(said)
        if not said:
            raise BadParameters([query_fault(name, "required", _("Say which version."))])
        try:
            return policy_numbered(number or 0)
        except PolicyVersion.DoesNotExist:
            raise BadParameters([query_fault(name, "not_found", _("There is no such version."))]) from None


def _etag(number: int) -> str:
    return f'"{number}"'


def _pack(document: Mapping[str, Any]) -> str:
    """The pack whose tiers the document has: sections yet to come begin as that pack ships them."""
    return cast(TierPolicy, parsed_document(document)[TierPolicy.section]).scheme


def _everything_wrong(document: Any) -> Iterator[PolicyFault]:
    """What is wrong with a whole document; None is one that could not be read at all, which is said elsewhere.

    Over the API a section or setting that is not there is a fault: it was forgotten, or taken away, and its
    default would come into force unseen.
    """
    if document is None:
        return
    whole = {name: kind().model_dump(mode="json") for name, kind in registered().items()}
    gone = set(absent(whole, document))
    # What a default would do wrong is not the caller's fault.
    yield from (each for each in check_document(document) if not any(each.path[: len(path)] == path for path in gone))
    yield from (fault(path, "missing") for path in sorted(gone))


def _fault(each: PolicyFault, name: str = "document") -> Fault:
    base = "#" if each.path == ("note",) else pointer("#", name)
    return Fault(pointer(base, *each.path), each.code, each.words)


def _told(run: DryRun) -> dict[str, Any]:
    def load(row: Load) -> dict[str, Any]:
        who = {"member": str(row.member.pk), "name": str(row.member)} if row.member else {"member": None, "name": None}
        return who | {"before": row.before, "after": row.after, "capacity": row.capacity, "over": row.over}

    def told(cells: Mapping[Pair, Cell], before: Sequence[str], after: Sequence[str]) -> list[dict[str, Any]]:
        return [
            {"before": old, "after": new, "customers": cell.customers, "money": cell.money}
            for old in before
            for new in after
            if (cell := cells.get((old, new)))
        ]

    colours = run.colours
    names = [name for name in map(str, DryRunSerializer().fields) if hasattr(run, name)]
    return {name: getattr(run, name) for name in names} | {
        "version": run.before,
        "currency": current_tenant().currency,
        "cells": told(run.cells, run.tiers_before, run.tiers_after),
        "colours": colours and {"changed": colours.changed, "cells": told(colours.cells, BANDS, BANDS)},
        "load": [load(row) for row in run.load],
        "alternatives": [
            {"words": each.words, "touches": each.touches, "fits": each.fits, "patch": _patch(run, each)}
            for each in alternatives(run.document, run)
        ],
    }


def _patch(run: DryRun, alternative: Alternative) -> dict[str, Any]:
    """The merge patch that makes the alternative of the draft."""
    patch: dict[str, Any] = {}
    for each in differences(run.document, alternative.document):
        *outer, last = each.path
        place = patch
        for step in outer:
            place = place.setdefault(step, {})
        place[last] = each.after
    return patch


class DrawnPolicy(OpenApiSerializerFieldExtension):
    """A policy as its sections describe themselves; a patch of it as an object, for anything may be absent."""

    target_class = "dashboards.api.PolicyDocument"
    match_subclasses = True

    def map_serializer_field(self, auto_schema: AutoSchema, direction: str) -> dict[str, Any]:
        if isinstance(self.target, PolicyPatch):
            return {"type": "object", "additionalProperties": True}
        properties = {name: self._section(auto_schema, kind) for name, kind in registered().items()}
        return self._component(
            auto_schema, "PolicyDocument", {"type": "object", "properties": properties, "required": [*properties]}
        )

    def _section(self, auto_schema: AutoSchema, kind: type[PolicySection]) -> dict[str, Any]:
        drawn = kind.model_json_schema(mode="serialization", ref_template="#/components/schemas/Policy{model}")
        for name, part in drawn.pop("$defs", {}).items():
            self._component(auto_schema, f"Policy{name}", part)
        return self._component(auto_schema, f"Policy{kind.__name__.removesuffix('Policy')}", drawn)

    @staticmethod
    def _component(auto_schema: AutoSchema, name: str, schema: dict[str, Any]) -> dict[str, Any]:
        component = ResolvedComponent(name=name, type=ResolvedComponent.SCHEMA, schema=schema, object=name)
        auto_schema.registry.register_on_missing(component)
        return component.ref
