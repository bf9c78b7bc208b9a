"""Settings of the Celery workers. `dagster_celery.app` reads this module by its name, where it is on PYTHONPATH.

The broker and the place of the results are in the environment: CELERY_BROKER_URL and CELERY_RESULT_BACKEND. The run
launcher does not read this module; its settings are in `dagster.yaml`.
"""

# By the result of its task, Dagster sees that a run is active, and it fails a run that has none. Celery's default is a
# day; longer than `max_runtime_seconds` in `dagster.yaml`.
result_expires = 259_200
# A worker takes a run when it is free for one. Otherwise it would reserve runs for itself while others are idle.
worker_disable_prefetch = True
worker_prefetch_multiplier = 1
# Lines of a run go where Dagster expects them, without a second prefix.
worker_redirect_stdouts = False
# Redis may start later than a worker.
broker_connection_retry_on_startup = True
