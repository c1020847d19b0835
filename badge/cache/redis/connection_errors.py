"""What a lost server makes redis-py raise."""

from __future__ import annotations

from redis.exceptions import ChildDeadlockedError, RedisClusterException, RedisError

# Not all of redis-py's exceptions are RedisErrors: these two derive from Exception alone. OSError is
# what sockets raise; the others are what its parser makes of answers that are none of Redis'.
LOSSES = (RedisError, RedisClusterException, ChildDeadlockedError, OSError, ValueError, TypeError, IndexError, KeyError)
