"""How many random files a test reads: a load of one takes a tenth of a second.

FUZZ_FILES=3400 reads more than the few that each run of the tests has time for.
"""

import os

from hypothesis import settings

FILES = int(os.environ.get("FUZZ_FILES", "25"))
IN_FILES = settings(deadline=None, max_examples=FILES)
