"""Writing the facts: verbs for pages and API. Each is one transaction and leaves one event.

Verbs that bring what another system knows ("upsert") say what came of it: created, updated or unchanged;
unchanged writes nothing. Fields that are not given stay as they are. Refusals are ValidationErrors by
field; the field of a line is written as a path, like "lines/3/quantity".
"""

from customers.services.arrivals import arrivals_last, arrived, forget_arrivals, take_arrivals
from customers.services.complaints import (
    ComplaintFields,
    open_complaint,
    patch_complaint,
    solve_complaint,
    upsert_complaint,
)
from customers.services.contacts import ContactFields, save_contact, upsert_contact
from customers.services.customers import (
    CustomerFields,
    OwnerFields,
    add_external_id,
    any_of,
    create_customer,
    patch_customer,
    set_owners,
    upsert_customer,
)
from customers.services.evidence import (
    EvidenceFields,
    add_evidence,
    change_evidence,
    delete_evidence,
    upsert_evidence,
)
from customers.services.interactions import (
    InteractionFields,
    delete_interaction,
    log_interaction,
    patch_interaction,
    upsert_interaction,
)
from customers.services.orders import Article, Line, OrderFields, create_order, many_orders, patch_order, upsert_order
from customers.services.products import ProductFields, create_product, patch_product, upsert_product
from customers.services.referrals import (
    ReferralFields,
    patch_referral,
    record_referral,
    upsert_referral,
    withdraw_referral,
)
from customers.services.rows import Name, Outcome
from customers.services.surveys import (
    SurveyResponseFields,
    add_survey_response,
    patch_survey_response,
    upsert_survey_response,
)

__all__ = [
    "Article",
    "ComplaintFields",
    "ContactFields",
    "CustomerFields",
    "EvidenceFields",
    "InteractionFields",
    "Line",
    "Name",
    "OrderFields",
    "Outcome",
    "OwnerFields",
    "ProductFields",
    "ReferralFields",
    "SurveyResponseFields",
    "add_evidence",
    "add_external_id",
    "add_survey_response",
    "any_of",
    "arrivals_last",
    "arrived",
    "change_evidence",
    "create_customer",
    "create_order",
    "create_product",
    "delete_evidence",
    "delete_interaction",
    "forget_arrivals",
    "log_interaction",
    "many_orders",
    "open_complaint",
    "patch_complaint",
    "patch_customer",
    "patch_interaction",
    "patch_order",
    "patch_product",
    "patch_referral",
    "patch_survey_response",
    "record_referral",
    "save_contact",
    "set_owners",
    "solve_complaint",
    "take_arrivals",
    "upsert_complaint",
    "upsert_contact",
    "upsert_customer",
    "upsert_evidence",
    "upsert_interaction",
    "upsert_order",
    "upsert_product",
    "upsert_referral",
    "upsert_survey_response",
    "withdraw_referral",
]
