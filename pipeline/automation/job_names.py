"""Names of the jobs, sensors and schedules, in a module that does not import Dagster: the command line starts faster
without it.
"""

MAIN_JOB = "selligent_to_segment"
UPKEEP_JOB = "warehouse_upkeep"
# Sensors and schedules: what starts runs first, then upkeep and alerts.
AUTOMATIONS = ("new_exports", f"{MAIN_JOB}_daily", f"{UPKEEP_JOB}_weekly", "failed_runs", "warned_runs")
