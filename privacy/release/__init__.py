"""The release gate: tables, counts and results leave under a policy, or not at all.

It knows neither FHIR nor models nor trials: tables are data frames, results a published document.
"""

from privacy.release.bounds import Interval, bounds
from privacy.release.budget import ask, create_budget, remaining
from privacy.release.cells import CountTable, ReleasedCounts, attack, count_table, release_counts
from privacy.release.errors import BudgetSpent, PolicyError, ReleaseError
from privacy.release.gate import Release, release_table
from privacy.release.ledger import Ledger, read_ledger, write_ledger
from privacy.release.noise import Answer, audit_epsilon, noisy_counts, noisy_mean
from privacy.release.policy import Policy, parse_policy, policy_schema, read_policy
from privacy.release.results import release_results

__all__ = [
    "Answer",
    "BudgetSpent",
    "CountTable",
    "Interval",
    "Ledger",
    "Policy",
    "PolicyError",
    "Release",
    "ReleaseError",
    "ReleasedCounts",
    "ask",
    "attack",
    "audit_epsilon",
    "bounds",
    "count_table",
    "create_budget",
    "noisy_counts",
    "noisy_mean",
    "parse_policy",
    "policy_schema",
    "read_ledger",
    "read_policy",
    "release_counts",
    "release_results",
    "release_table",
    "remaining",
    "write_ledger",
]
