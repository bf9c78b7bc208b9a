"""What a check finds, as Dagster shows it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import dagster as dg

from pipeline.finding import Finding
from pipeline.orchestration import markdown


@dataclass(frozen=True)
class Check:
    """An asset check of this project: what it looks at, and whether what comes after waits for it."""

    name: str
    asset: dg.AssetKey
    description: str
    blocking: bool = False

    @property
    def spec(self) -> dg.AssetCheckSpec:
        """The check as Dagster knows it before it runs."""
        return dg.AssetCheckSpec(self.name, asset=self.asset, description=self.description, blocking=self.blocking)

    def result(self, found: Finding) -> dg.AssetCheckResult:
        """What it found: a warning, unless it is grave."""
        return dg.AssetCheckResult(
            asset_key=self.asset,
            check_name=self.name,
            passed=found.holds,
            severity=dg.AssetCheckSeverity.ERROR if found.grave else dg.AssetCheckSeverity.WARN,
            description=markdown.escaped(found.sentence),
            metadata=dict(found.numbers),
        )


def results(checks: Mapping[Check, Finding], selected: Iterable[dg.AssetCheckKey]) -> list[dg.AssetCheckResult]:
    """Of these checks, the results of those that Dagster asked for."""
    wanted = set(selected)
    return [check.result(found) for check, found in checks.items() if check.spec.key in wanted]
