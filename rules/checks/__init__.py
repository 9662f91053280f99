"""Lints that need no source: one per file, each from a rule (or a set of them) to problems."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from rules.checks.columns_once import columns_once
from rules.checks.common_mode_within_slices import common_mode_within_slices
from rules.checks.delay_within_lookback import delay_within_lookback
from rules.checks.depth_within_dimensions import depth_within_dimensions
from rules.checks.detector_fits import detector_fits
from rules.checks.duplicate_names import duplicate_names
from rules.checks.former_names import former_names
from rules.checks.inhibitions import inhibitions
from rules.checks.known_countries import known_countries
from rules.checks.mute_ends import mute_ends
from rules.checks.mute_leaves_evaluations import mute_leaves_evaluations
from rules.checks.no_secrets import no_secrets
from rules.checks.one_expression import one_expression
from rules.checks.one_select import one_select
from rules.checks.owner_of_critical import owner_of_critical
from rules.checks.reachable_change import reachable_change
from rules.checks.runbook_of_critical import runbook_of_critical
from rules.checks.schedule_within_bucket import schedule_within_bucket
from rules.checks.slices_of_dimensions import slices_of_dimensions
from rules.checks.source_names_table import source_names_table
from rules.checks.tests_of_dimensions import tests_of_dimensions
from rules.checks.watched_once import watched_once
from rules.checks.weeks_in_lookback import weeks_in_lookback
from rules.checks.where_decides import where_decides
from rules.checks.whole_query import whole_query
from rules.model import Rule
from rules.problem import Problem

RULE_CHECKS: tuple[Callable[[Rule], Iterable[Problem]], ...] = (
    source_names_table,
    one_select,
    one_expression,
    no_secrets,
    columns_once,
    slices_of_dimensions,
    common_mode_within_slices,
    delay_within_lookback,
    reachable_change,
    mute_ends,
    mute_leaves_evaluations,
    known_countries,
    detector_fits,
    tests_of_dimensions,
    weeks_in_lookback,
    depth_within_dimensions,
    schedule_within_bucket,
    where_decides,
    whole_query,
    owner_of_critical,
)
"""Each sees one rule that is sound by itself; an error keeps the rule from running."""

SET_CHECKS: tuple[Callable[[Iterable[Rule]], Iterable[Problem]], ...] = (watched_once, runbook_of_critical)
"""Each sees all rules that can run; warnings only, for no rule is wrong by itself."""

__all__ = ["RULE_CHECKS", "SET_CHECKS", "duplicate_names", "former_names", "inhibitions"]
