"""What the two jobs are called; here, since the command line says it before it takes the seconds to import Dagster."""

MAIN_JOB = "selligent_to_segment"
UPKEEP_JOB = "warehouse_upkeep"
