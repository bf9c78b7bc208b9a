"""Names of the two jobs; here, since the command line prints them before it imports Dagster, which takes seconds."""

MAIN_JOB = "selligent_to_segment"
UPKEEP_JOB = "warehouse_upkeep"
