"""`run --select`: some assets again, for the dates given, without the steps before and after them."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from difflib import get_close_matches
from fnmatch import fnmatchcase
from typing import Any

from pipeline.automation.job_names import MAIN_JOB
from pipeline.automation.pending_dates import newest_date
from pipeline.commands.run_job import job_named, run_job
from pipeline.errors import SettingsError
from pipeline.export_dates import ExportDates
from pipeline.settings import BRAND, Settings
from pipeline.warehouse import Warehouse

# The options of steps, by the schema of the assets that have them.
_STEPS = {"raw": "raw", "staging": "models", "segment": "models"}


def run_assets(
    settings: Settings, patterns: Sequence[str], dates: ExportDates | None, *, reload: bool, full_refresh: bool
) -> int:
    """Run the assets of these names, which may contain `*`; without dates, for the newest one that is loaded. Returns
    the exit status.

    Raises:
        SettingsError: no asset has such a name, an option belongs to none of them, or nothing is loaded yet.
    """
    dates = dates or _newest(settings)
    keys = {key.to_user_string().removeprefix(f"{BRAND}/"): key for key in _assets()}
    names = matching(patterns, keys)
    config = _config(names, reload=reload, full_refresh=full_refresh)
    from pipeline.orchestration.partitions import tags_of

    words = f"{', '.join(patterns)} of export dates {dates}"
    return int(not run_job(MAIN_JOB, words, tags_of(dates), [keys[name] for name in names], config=config).success)


def matching(patterns: Iterable[str], names: Collection[str]) -> list[str]:
    """The names that match at least one pattern, in order. Raises SettingsError for a pattern without any."""
    found = set[str]()
    for pattern in patterns:
        matched = {name for name in names if fnmatchcase(name, pattern.removeprefix(f"{BRAND}/"))}
        if not matched:
            raise SettingsError(f"--select: there is no asset {pattern}{_meant(pattern, names)}")
        found |= matched
    return sorted(found)


def _meant(pattern: str, names: Collection[str]) -> str:
    """What may have been meant: another command, names that are similar or end so, or else all names."""
    from pipeline.orchestration.asset_keys import UPKEEP

    name = pattern.removeprefix(f"{BRAND}/").lower()
    if name == UPKEEP.to_user_string().removeprefix(f"{BRAND}/"):
        return " in the main job; `python -m pipeline upkeep` runs it"
    close = get_close_matches(name, names, n=3)
    close += [each for each in sorted(names) if each.partition("/")[2] == name.rpartition("/")[2] and each not in close]
    if not close and (group := sorted(each for each in names if each.partition("/")[0] == name.rstrip("/"))):
        return f"; did you mean '{group[0].partition('/')[0]}/*'?"
    if close:
        return f"; did you mean {' or '.join(close)}?"
    return f"; the assets are {', '.join(sorted(names))}"


def _assets() -> Iterable[Any]:
    return job_named(MAIN_JOB).asset_layer.executable_asset_keys  # type: ignore[no-any-return] # Dagster's keys


def _newest(settings: Settings) -> ExportDates:
    with Warehouse.of(settings).reading_if_any() as connection:
        days = newest_date(connection) if connection is not None else set()
    if not days:
        raise SettingsError("--select: nothing is loaded yet; name export dates with --from and --to")
    return ExportDates(min(days), max(days))


def _config(names: Iterable[str], *, reload: bool, full_refresh: bool) -> Mapping[str, Any]:
    """The run configuration; raises SettingsError for an option that no selected asset has."""
    steps = {_STEPS[schema] for name in names if (schema := name.partition("/")[0]) in _STEPS}
    config = {}
    for option, wanted, step, assets in (
        ("reload", reload, "raw", "raw/*"),
        ("full_refresh", full_refresh, "models", "staging/* and segment/*"),
    ):
        if wanted and step not in steps:
            raise SettingsError(f"--{option.replace('_', '-')}: only {assets} can do that; select one of them")
        if wanted:
            config[step] = {"config": {option: True}}
    return {"ops": config} if config else {}
