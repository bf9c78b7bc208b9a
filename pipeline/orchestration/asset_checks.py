"""Asset checks of this project, and their results in Dagster."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import dagster as dg

from pipeline.finding import Finding
from pipeline.orchestration import markdown


@dataclass(frozen=True)
class Check:
    """An asset check: the asset that it checks, and whether downstream assets depend on its result."""

    name: str
    asset: dg.AssetKey
    description: str
    blocking: bool = False

    @property
    def spec(self) -> dg.AssetCheckSpec:
        """The specification for Dagster."""
        return dg.AssetCheckSpec(self.name, asset=self.asset, description=self.description, blocking=self.blocking)

    def result(self, found: Finding) -> dg.AssetCheckResult:
        """The result for Dagster; a finding that does not hold is a warning, unless it is grave."""
        return dg.AssetCheckResult(
            asset_key=self.asset,
            check_name=self.name,
            passed=found.holds,
            severity=dg.AssetCheckSeverity.ERROR if found.grave else dg.AssetCheckSeverity.WARN,
            description=markdown.escaped(found.sentence),
            metadata=dict(found.numbers),
        )


def results(checks: Mapping[Check, Finding], selected: Iterable[dg.AssetCheckKey]) -> list[dg.AssetCheckResult]:
    """The results of the selected checks."""
    wanted = set(selected)
    return [check.result(found) for check, found in checks.items() if check.spec.key in wanted]
