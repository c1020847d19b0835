"""The exceptions that mean a lost server."""

from __future__ import annotations

from redis.exceptions import ChildDeadlockedError, RedisClusterException, RedisError

# RedisClusterException and ChildDeadlockedError don't derive from RedisError. OSError comes from sockets; the rest is
# what redis-py's parser raises for answers that are not Redis protocol.
LOSSES = (RedisError, RedisClusterException, ChildDeadlockedError, OSError, ValueError, TypeError, IndexError, KeyError)
