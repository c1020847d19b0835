"""The exceptions that mean a lost server, and their names in logs."""

from __future__ import annotations

import re

from redis.exceptions import ChildDeadlockedError, NoPermissionError, RedisClusterException, RedisError

# RedisClusterException and ChildDeadlockedError don't derive from RedisError. OSError comes from sockets; the rest is
# what redis-py's parser raises for answers that are not Redis protocol.
LOSSES = (RedisError, RedisClusterException, ChildDeadlockedError, OSError, ValueError, TypeError, IndexError, KeyError)

_COMMAND = re.compile(r"permissions to run the '([a-z|_-]{1,40})' command")


def is_denied(error: BaseException) -> bool:
    """Whether the server's access control list (ACL) forbids what was tried; retrying is pointless."""
    return isinstance(error, NoPermissionError) or denied_command(error) is not None


def denied_command(error: BaseException) -> str | None:
    """Return the command that the ACL forbids, if the error names one; scripts fail with a plain ResponseError."""
    found = _COMMAND.search(str(error)) if isinstance(error, RedisError) else None
    return found[1] if found else None


def name_of(error: Exception) -> str:
    """Return the error's class for logs, and what the ACL forbids, if that is the reason.

    Never the error's message, which may contain an address.
    """
    if not is_denied(error):
        return type(error).__name__
    return f"{NoPermissionError.__name__}({denied_command(error) or 'key'})"
