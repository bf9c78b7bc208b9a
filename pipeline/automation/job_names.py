"""Names of the two jobs, in a module that does not import Dagster: the command line starts faster without it."""

MAIN_JOB = "selligent_to_segment"
UPKEEP_JOB = "warehouse_upkeep"
