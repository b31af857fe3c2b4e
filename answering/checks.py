"""What must hold before the application starts, as Django system checks."""

from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, register
from django.core.exceptions import ImproperlyConfigured

from answering.budgets import Budgets


@register()
def budgets_fit(app_configs: Any, **kwargs: Any) -> Sequence[CheckMessage]:
    """Stages that follow each other fit into the deadline."""
    try:
        Budgets.from_milliseconds(settings.BUDGETS_MS)
    except ImproperlyConfigured as error:
        return [Error(str(error), id="answering.E001")]
    return []
