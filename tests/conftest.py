"""For all tests: ignore this machine's settings file, and set no deadline for Hypothesis: the machine may be busy."""

import os

from hypothesis import settings

os.environ["BADGE_SETTINGS_FILE"] = os.devnull

settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")
