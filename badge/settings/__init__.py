"""The settings: read at start-up and on a reload, from `BADGE_…` variables and the settings file.

Secrets can also be given as the path of a file that holds them (`BADGE_REDIS_URL_FILE`), as container platforms
mount them.
"""

from badge.settings.display import changed, shown
from badge.settings.faults import BadSettings, SettingFault
from badge.settings.kinds import Duration, HttpUrl, http_address, parse_duration, show_duration
from badge.settings.loading import load, load_from
from badge.settings.names import SECRETS, unknown_variables, variable_for
from badge.settings.table import DEFAULT, ENVIRONMENT, RESTART_ONLY, Settings

__all__ = [
    "DEFAULT",
    "ENVIRONMENT",
    "RESTART_ONLY",
    "SECRETS",
    "BadSettings",
    "Duration",
    "HttpUrl",
    "SettingFault",
    "Settings",
    "changed",
    "http_address",
    "load",
    "load_from",
    "parse_duration",
    "show_duration",
    "shown",
    "unknown_variables",
    "variable_for",
]
