"""Every view by its name."""

from __future__ import annotations

from collections.abc import Callable

from tests.support.oracle import dashboard, metrics, operations, recipes, telemetry
from tests.support.oracle.world import Rows

VIEWS: dict[str, Callable[..., Rows]] = {
    view.__name__: view
    for view in (
        recipes.tasks_by_month,
        recipes.top_customers,
        recipes.monthly_usage,
        recipes.monthly_usage_by_recipe,
        recipes.connections_by_month,
        recipes.top_apps,
        recipes.customers_by_month,
        recipes.customers,
        recipes.active_recipes_by_month,
        recipes.recommended_recipes,
        telemetry.telemetry_summary,
        telemetry.usage_trend,
        telemetry.cost_trend,
        telemetry.usage_by_agent,
        telemetry.usage_by_team,
        telemetry.user_activity,
        telemetry.cost_summary,
        telemetry.billing_by_tenant,
        telemetry.billing_by_team,
        telemetry.billing_by_agent,
        telemetry.billing_periods,
        dashboard.organizations,
        dashboard.request_summary,
        dashboard.requests_over_time,
        dashboard.top_tenants,
        dashboard.top_tokens,
        dashboard.top_users,
        dashboard.requests_by_model,
        operations.live_windows,
        operations.ledger,
        operations.ledger_by_tenant,
        operations.rejections,
        operations.ledger_gaps,
        operations.as_of,
        metrics.metric_values,
        metrics.metric_sparkline,
        metrics.metric_breakdown,
    )
}
"""Called with a `World` and the view's parameters by name."""
