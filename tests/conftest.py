"""For all tests: no settings file of this machine counts, and no example is too slow, for the machine may be busy."""

import os

from hypothesis import settings

os.environ["BADGE_SETTINGS_FILE"] = os.devnull

settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")
