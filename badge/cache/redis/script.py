"""Lua scripts, run by hash, or by text if the server does not have them yet."""

from __future__ import annotations

import contextlib
import hashlib
import re
from collections.abc import Sequence
from typing import Any

from redis.exceptions import NoPermissionError, NoScriptError, ResponseError

from badge.cache.redis.connection import Client

# Returns the first command that the user may not run; needs Redis 7.0. KEYS: any key of the script that failed. ARGV:
# that script's commands.
_DENIED = """
for _, command in ipairs(ARGV) do
  if not redis.acl_check_cmd(command, KEYS[1]) then return string.lower(command) end
end
return false
"""


class RedisScript:
    """A Lua script. redis-py's own class loads it into every server of a Cluster, and fails if one of them is down."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._hash = hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()
        self._commands = sorted(set(re.findall(r"redis\.call\('(\w+)'", text)))

    def run(self, client: Client, keys: Sequence[str], args: Sequence[object]) -> Any:
        """Run the script. All keys must be in one slot; raises redis-py's exceptions."""
        words: list[Any] = [*keys, *args]
        try:
            try:
                return client.evalsha(self._hash, len(keys), *words)
            except NoScriptError:
                return client.eval(self._text, len(keys), *words)
        except ResponseError as error:
            # Up to Redis 7.0, the error does not say which command.
            if "script can't run this command" in str(error) and (command := self._denied_command(client, keys[0])):
                raise NoPermissionError(f"no permissions to run the '{command}' command") from error
            raise

    def _denied_command(self, client: Client, key: str) -> str | None:
        with contextlib.suppress(ResponseError):  # before 7.0, the server can't tell
            found: Any = client.eval(_DENIED, 1, key, *self._commands)
            return found.decode() if isinstance(found, bytes) else None
        return None
