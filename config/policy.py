"""The sections of the policy, in the order of the house."""

from followups.rules.policy import CadencePolicy
from health.rules.policy import HealthPolicy
from risk.rules.policy import RiskPolicy
from segmentation.rules.policy import TierPolicy
from tenants.policies import register

for section in (TierPolicy, HealthPolicy, CadencePolicy, RiskPolicy):
    register(section)
