"""Whatever comes in, it is answered and never breaks anything."""

import json
import os
import random
from typing import Any

import pytest

from customers.api import (
    ComplaintViewSet,
    ContactViewSet,
    CustomerViewSet,
    InteractionViewSet,
    OrderViewSet,
    ProductViewSet,
    SurveyResponseViewSet,
)
from followups.api import FollowUpViewSet
from health.api import HealthViewSet
from health.api_forecasts import BackTestViewSet, ForecastViewSet
from health.api_pulses import PulseViewSet
from segmentation.api import StandingViewSet
from tests.api.conftest import Caller
from tests.api.test_orders import ORDER
from tests.conftest import Cast

NASTY: list[Any] = [
    None, True, False, 0, -1, 1.5, 10**30, -(10**400), 1e308, "", " ", "x", "0", "-0", "1e400", "NaN", "Infinity", "\x00", "\ud800",
    "x" * 5000, "9" * 19, "٣", "2026-02-30", "0001-01-01", "9999-12-31", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00",
    "2026-03-29T01:30:00", "2026-11-20T00:00:00+99:00", [], [[]], {}, [None], [1], ["x", "x"], {"x": {}}, {"external_id": None},
    {"external_id": "1"}, {"source": 1, "external_id": []}, {"email": ["x"]}, [{"source": "erp", "external_id": "1"}] * 3,
    [{"product": {}, "quantity": {}, "unit_price": []}], [{"product": "1", "quantity": "1e15", "unit_price": "-1e15"}],
    "%", "_", "' OR 1=1", "<script>", "null", "=1+1",
]  # fmt: skip
WRITABLE = (
    ComplaintViewSet, ContactViewSet, CustomerViewSet, InteractionViewSet, OrderViewSet, ProductViewSet,
    SurveyResponseViewSet,
)  # fmt: skip
# NASTY=0 tries every value in every place.
SAMPLE = int(os.environ.get("NASTY", "60"))
LISTS = (
    *WRITABLE, FollowUpViewSet, HealthViewSet, ForecastViewSet, BackTestViewSet, PulseViewSet, StandingViewSet,
)  # fmt: skip


@pytest.mark.parametrize("viewset", WRITABLE, ids=lambda viewset: viewset.resource)
def test_answers_whatever_the_body_holds(api: Caller, cast: Cast, viewset: type[Any]) -> None:
    customer = str(cast.customer().pk)
    goods: dict[str, dict[str, Any]] = {
        "complaints": {"customer": customer, "topic": "Late"},
        "contacts": {"customer": customer, "name": "Priya Shah"},
        "customers": {"name": "Brook & Sons"},
        "interactions": {"customer": customer, "channel": "phone"},
        "orders": ORDER | {"customer": customer},
        "products": {"name": "Heart"},
        "survey-responses": {"customer": customer, "kind": "nps", "score": 9},
    }
    good = goods[viewset.resource]
    path = f"{viewset.resource}/by-external/erp/1"
    assert api.put(path, good).status_code == 201
    chance = random.Random(7)  # noqa: S311  # the same every time
    bodies = [{**good, name: value} for name in viewset.serializer_class.Meta.fields for value in NASTY]
    for body in chance.sample(bodies, SAMPLE or len(bodies)):
        answer = api.put(path, body)
        assert answer.status_code in {200, 400, 409}, (body, answer.content)
    rows = [{"source": "erp", "external_id": str(n), **body} for n, body in enumerate(bodies)]
    rows = [*chance.sample(rows, min(SAMPLE or 800, len(rows))), *NASTY]
    answer = api.post(f"{viewset.resource}/batch", {"rows": [row for row in rows if "\\ud" not in json.dumps(row)]})
    assert answer.status_code == 200, answer.content
    assert answer.json()["counts"]["failed"] >= len(NASTY) - 1


@pytest.mark.parametrize("viewset", LISTS, ids=lambda viewset: viewset.resource)
def test_answers_whatever_the_query_says(api: Caller, cast: Cast, viewset: type[Any]) -> None:
    cast.customer()
    words = [text for text in NASTY if isinstance(text, str) and text != "\ud800"]
    chance = random.Random(7)  # noqa: S311  # the same every time
    names = [*viewset.filterset_class.names(), "limit", "cursor", "ordering", "count"]
    pairs = [(name, text) for name in names for text in words]
    for name, text in chance.sample(pairs, SAMPLE or len(pairs)):
        answer = api.get(viewset.resource, **{name: text})
        assert answer.status_code in {200, 400}, (name, text, answer.content)
    for text in ("٣", "1" * 30, "%00", "-1", "1.0", "x y", "%F0%28%8C%28"):
        assert api.get(f"{viewset.resource}/{text}").status_code == 404
