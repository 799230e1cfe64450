"""The API of cross-sell: the rules of the last search, and what they suggest to a customer; read only."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

from django.db.models import QuerySet, Subquery
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from customers.api import CustomerViewSet
from segmentation import figures
from segmentation.filters import CrossSellRuleFilter
from segmentation.models import CrossSellRule, CrossSellRun
from tenants.api.resources import Resource
from tenants.api.schema import bodies

PERMISSION = "cross-sell:read"


class CrossSellRuleSerializer(serializers.ModelSerializer):
    """Bought A, then B. Antecedent and consequent are a category's name, or "#" and a product's id.

    customers bought A and had not bought B; followed of them bought B within the policy's days, half of these in
    median_days. confidence = followed ÷ customers; support = followed ÷ all buyers; lift: times as often as usual.
    """

    id = serializers.CharField(source="pk")
    antecedent_name = serializers.SerializerMethodField(help_text="The category, or the product's name.")
    consequent_name = serializers.SerializerMethodField(help_text="The category, or the product's name.")
    as_of = serializers.DateField(help_text="The day of the search that found it.")

    class Meta:
        model = CrossSellRule
        fields = [
            "id", "antecedent", "antecedent_name", "consequent", "consequent_name", "customers", "followed", "support",
            "confidence", "lift", "median_days", "as_of",
        ]  # fmt: skip

    def get_antecedent_name(self, row: CrossSellRule) -> str:
        return str(self.context["names"].get(row.antecedent, row.antecedent))

    def get_consequent_name(self, row: CrossSellRule) -> str:
        return str(self.context["names"].get(row.consequent, row.consequent))


class SuggestionSerializer(serializers.Serializer):
    """What a customer may want next: the rule that says so, and when the customer bought its antecedent."""

    rule = CrossSellRuleSerializer()
    within_days = serializers.IntegerField()
    bought_on = serializers.DateField(help_text="First purchase of the antecedent in the window of the rules.")
    last_bought_on = serializers.DateField()


class SuggestionsSerializer(serializers.Serializer):
    """Best first; none without rules, or when the customer has bought everything that they lead to."""

    results = SuggestionSerializer(many=True)


class CrossSellRuleViewSet(Resource):
    """Cross-sell rules as of the last search, which the night makes once a month."""

    resource = "cross-sell-rules"
    permissions: ClassVar[Mapping[str, str]] = {"list": PERMISSION, "retrieve": PERMISSION}
    queryset: Any = CrossSellRule.objects
    serializer_class = CrossSellRuleSerializer
    filterset_class = CrossSellRuleFilter
    orderings: ClassVar[tuple[str, ...]] = (
        "id", "-id", "confidence", "-confidence", "lift", "-lift", "support", "-support", "followed", "-followed",
    )  # fmt: skip
    http_method_names = ["get", "head"]

    def visible(self) -> QuerySet[CrossSellRule]:
        return dated_rules()

    def get_serializer(self, *args: Any, **kwargs: Any) -> Any:
        """With the names of all items of the rows, looked up at once."""
        rows = args[0] if kwargs.get("many") else args[:1]
        kwargs["context"] = self.get_serializer_context() | naming(rows)
        return super().get_serializer(*args, **kwargs)


def dated_rules() -> QuerySet[CrossSellRule]:
    """The rules with the day of the search that found them, `as_of`."""
    last = CrossSellRun.objects.order_by("-as_of").values("as_of")[:1]
    rows: QuerySet[CrossSellRule] = CrossSellRule.objects.annotate(as_of=Subquery(last))
    return rows


def naming(rules: Iterable[CrossSellRule]) -> dict[str, Any]:
    """What the serializer of rules finds in its context: item → name."""
    return {"names": figures.item_labels({item for rule in rules for item in (rule.antecedent, rule.consequent)})}


class OfferedCustomerViewSet(CustomerViewSet):
    """Customers, and what they may want next."""

    permissions: ClassVar[Mapping[str, str]] = {**CustomerViewSet.permissions, "suggestions": PERMISSION}

    @bodies(responses=SuggestionsSerializer)
    @action(detail=True, methods=["get"])
    def suggestions(self, request: Request, pk: str) -> Response:
        """What the customer may want next, by the cross-sell rules: bought A, never B."""
        found = figures.suggestions(self.get_object(), figures.last_search())
        context = self.get_serializer_context() | naming([each.rule for each in found])
        return Response(SuggestionsSerializer({"results": found}, context=context).data)
