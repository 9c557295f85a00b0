"""When a pipeline runs, what it waits for, and how often it tries."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from platform_pipelines.spec.base import Count, Frozen, Seconds, Text
from platform_pipelines.spec.checked import Cron, Zone


class Schedule(Frozen):
    """A cron expression in a zone."""

    cron: Cron = Field(description="Five fields: minute, hour, day of month, month, day of week.")
    timezone: Zone = Field(default="UTC", description="IANA zone in which the cron expression is read.")


class Triggers(Frozen):
    """Pipelines whose success starts this one."""

    after: tuple[Text, ...] = Field(default=(), description="Names of pipelines.")


class Retries(Frozen):
    """How passing faults are tried again."""

    max: Count = Field(default=3, description="Tries after the first.")
    delay: Seconds = Field(default=10.0, description="Seconds before the first new try.")
    backoff: Literal["exponential", "linear", "constant"] = Field(
        default="exponential", description="How the delay grows."
    )
