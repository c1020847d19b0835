"""Uses a server as the service does, and says what is wrong with it."""

from __future__ import annotations

import secrets
import socket
import ssl
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeVar

from redis.exceptions import (
    AuthenticationError,
    BusyLoadingError,
    InvalidResponse,
    OutOfMemoryError,
    ReadOnlyError,
    RedisClusterException,
    ResponseError,
)
from redis.exceptions import TimeoutError as RedisTimeoutError
from redis.sentinel import MasterNotFoundError

from badge.cache.memory import MemoryStatusCache
from badge.cache.redis.command_time import command_time
from badge.cache.redis.commands import TRIAL_SECONDS, RedisCommands
from badge.cache.redis.connection import RedisConnector
from badge.cache.redis.connection_errors import LOSSES, denied_command, is_denied
from badge.cache.redis.pictures import RedisPictureStore
from badge.cache.redis.source_pauses import RedisSourcePauses
from badge.cache.redis.status_cache import RedisStatusCache
from badge.events import Event
from badge.model import CLOCK_TOLERANCE, BackupStatus, CacheEntry, Report
from badge.ports import CacheKey, Clock
from badge.resilience.circuit_breaker import CircuitBreaker

NAME = "self-test"
PREFIX = "bdg:"
"""The prefix of all our keys."""
TRIES = 3
"""The same as the number of consecutive failures that open the circuit breaker."""

_Answer = TypeVar("_Answer")


class _NoEvents:
    """`Events` that discards everything, because the fault is returned instead."""

    def emit(self, event: Event) -> None:
        del event


class _RaisingCommands(RedisCommands):
    """Commands without a fallback."""

    def attempt(
        self,
        operation: str,
        command: Callable[[], _Answer],
        instead: Callable[[], _Answer],
        *,
        when_late: Callable[[], _Answer] | None = None,
    ) -> _Answer:
        """Run a command; raises redis-py's exceptions."""
        del operation, instead, when_late
        with command_time(self.connector.seconds):
            return command()


def fault_of(connector: RedisConnector, clock: Clock) -> str | None:
    """Return what is wrong with the server, as the predicate of a sentence about it; None if it works."""
    try:
        connector.check()
    except OSError as error:
        return f"can't be used: a certificate file in BADGE_REDIS_URL can't be read ({error.strerror})"
    except LOSSES:
        return _BAD_OPTION
    return _fault_in_use(connector, clock, TRIES)


def _fault_in_use(connector: RedisConnector, clock: Clock, tries: int) -> str | None:
    try:
        return _use(connector, clock)
    except (RedisTimeoutError, TimeoutError) as late:
        return _fault_in_use(connector, clock, tries - 1) if tries > 1 else _words_for(late, connector)
    except LOSSES as error:
        return _words_for(error, connector)


def require_permissions(connector: RedisConnector, clock: Clock) -> None:
    """Raise redis-py's exception if the server forbids what the service does; other faults are ignored."""
    try:
        _use(connector, clock)
    except LOSSES as error:
        if is_denied(error):
            raise


def _use(connector: RedisConnector, clock: Clock) -> str | None:
    """Do everything that the service does with a server, under names of its own; raises redis-py's exceptions.

    Returns a fault that exists even though every command works, or None.
    """
    with command_time(TRIAL_SECONDS):
        connector.client().ping()  # a process's first command imports code, and may learn a Cluster's topology
    commands = _RaisingCommands(connector, _NoEvents(), CircuitBreaker(NAME, _NoEvents()))
    fault = _fault_of_statuses(commands, clock)
    pauses = RedisSourcePauses(commands, clock)
    pauses.pause(NAME, clock() + timedelta(seconds=1))
    pauses.paused_until(NAME)
    pictures = RedisPictureStore(commands)
    pictures.put(NAME, b"")
    pictures.get(NAME)
    return fault


def _fault_of_statuses(commands: RedisCommands, clock: Clock) -> str | None:
    # Never a subject's key, which has more parts. Random, because several self-tests may run at the same time.
    key: CacheKey = (NAME, secrets.token_hex(16))
    statuses = RedisStatusCache(commands, MemoryStatusCache(clock), _NoEvents(), clock, timedelta(0))
    lease = statuses.claim(key).lease
    if lease is not None:
        statuses.renew(lease)
    now = statuses.fetch_began(key)
    report = Report(status=BackupStatus.UNKNOWN, observed_at=now)
    statuses.put(key, CacheEntry(report=report, fetched_at=now, confirmed_at=now, fresh_until=now), lease)
    is_stored = statuses.get(key) is not None
    is_off = abs(now - clock()) > CLOCK_TOLERANCE  # another host's entry would seem ahead, or too old
    if (lease := statuses.claim(key).lease) is not None:  # reads the value in the same script
        statuses.release(lease)
    statuses.invalidate(key)
    if is_off:
        return _CLOCK_OFF
    return None if is_stored else "loses what has just been stored in it: raise maxmemory"


_CLOCK_OFF = (
    f"answers, but its clock and this machine's differ by more than {CLOCK_TOLERANCE // timedelta(minutes=1)} minutes: "
    "correct the wrong one"
)
_BAD_OPTION = "can't be used: BADGE_REDIS_URL has an option that is unknown or has a wrong value"


@dataclass(frozen=True, slots=True)
class _Cause:
    """How to recognise a fault (an exception's class, and text in its message), and the words for it."""

    kind: type[BaseException]
    words: str
    text: str = ""


# The first match counts. redis-py wraps socket errors, so an exception's causes are compared as well.
_CAUSES = (
    _Cause(AuthenticationError, "requires a password: add it to BADGE_REDIS_URL", "Authentication required"),
    _Cause(AuthenticationError, "has no password set: remove the one in BADGE_REDIS_URL", "without any password"),
    _Cause(AuthenticationError, "rejects the user name or the password in BADGE_REDIS_URL"),
    _Cause(ssl.SSLCertVerificationError, "has a certificate for another host name", "ostname mismatch"),
    _Cause(ssl.SSLCertVerificationError, "has a certificate for another host name", "IP address mismatch"),
    _Cause(ssl.SSLCertVerificationError, "has a certificate that has expired", "expired"),
    _Cause(
        ssl.SSLCertVerificationError,
        "has a certificate that is not trusted: set ssl_ca_certs in BADGE_REDIS_URL",
    ),
    _Cause(OSError, "does not answer over TLS: if it does not use TLS, use redis:// instead of rediss://", "_ssl.c"),
    _Cause(socket.gaierror, "can't be found: no such host name"),
    _Cause(ConnectionRefusedError, "can't be reached: nothing listens there"),
    _Cause(ConnectionResetError, "closes the connection: if it uses TLS, use rediss:// instead of redis://"),
    _Cause(FileNotFoundError, "can't be reached: there is no such socket"),
    _Cause(PermissionError, "can't be reached: this user may not open its socket"),
    _Cause(ResponseError, "has no database with that number: correct BADGE_REDIS_URL", "DB index"),
    _Cause(MasterNotFoundError, "knows no primary with that name: check the service name in BADGE_REDIS_URL"),
    _Cause(RedisClusterException, "is not a Cluster, or none of its servers answers"),
    _Cause(ResponseError, "is not a Sentinel: use redis:// instead of redis+sentinel://", "'SENTINEL'"),
    _Cause(ReadOnlyError, "is a read-only replica: name its primary in BADGE_REDIS_URL"),
    _Cause(OutOfMemoryError, "is full: set maxmemory-policy to allkeys-lru, or raise maxmemory"),
    _Cause(BusyLoadingError, "is still loading its data: try again in a moment"),
    _Cause(InvalidResponse, "does not speak Redis' protocol: check the address in BADGE_REDIS_URL"),
    _Cause(TypeError, _BAD_OPTION),
)


def _words_for(error: Exception, connector: RedisConnector) -> str:
    causes = list(_causes(error))
    if denied := next(filter(is_denied, causes), None):
        return _words_for_denied(denied_command(denied))
    for known in _CAUSES:
        if any(isinstance(cause, known.kind) and known.text in str(cause) for cause in causes):
            return known.words
    if isinstance(error, (RedisTimeoutError, TimeoutError)):
        milliseconds = round(connector.seconds * 1000)
        return f"does not answer within BADGE_REDIS_TIMEOUT ({milliseconds}ms): is it running at this address?"
    return f"fails ({type(error).__name__})"


def _words_for_denied(command: str | None) -> str:
    if command is None:
        return f"denies this user access to the keys {PREFIX}*: add ~{PREFIX}* to its ACL"
    return f"denies this user the command {command}: add +{command} to its ACL"


def _causes(error: BaseException) -> Iterator[BaseException]:
    cause: BaseException | None = error
    while cause is not None:
        yield cause
        cause = cause.__cause__ or cause.__context__
