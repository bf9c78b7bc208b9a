"""Random tests try the same examples each time, so that a change and not chance decides what fails.

`HYPOTHESIS_PROFILE=searching pytest` tries others.
"""

import os

from hypothesis import settings

settings.register_profile("repeatable", derandomize=True)
settings.register_profile("searching", derandomize=False)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "repeatable"))
