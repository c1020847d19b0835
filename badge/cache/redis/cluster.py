"""redis-py's Cluster client, without what it does of its own accord while a command waits.

Theirs finds out the topology anew within the command that failed, with sleeps of 250 ms where the
cluster is down, and behind a lock. Here a command follows redirections and nothing else; after a
surprise, the topology is found out in the background.
"""

from __future__ import annotations

import contextlib
import random
import threading
from typing import Any

import redis
from redis.cluster import ClusterNode
from redis.exceptions import (
    AskError,
    ClusterDownError,
    ClusterError,
    ConnectionError,  # noqa: A004 - redis-py's own names
    MovedError,
    SlotNotCoveredError,
    TimeoutError,  # noqa: A004
)

from badge.cache.redis.command_time import command_time
from badge.cache.redis.connection_errors import LOSSES
from badge.resilience.worker_pool import start_thread

# A slot moves from one server to another: twice is more than happens to one command.
MOST_REDIRECTIONS = 3
# Three servers may be silent before one answers.
TOPOLOGY_SECONDS = 1.0
# However many commands fail, the topology is asked for once in this time.
PAUSE_SECONDS = 1.0

_SURPRISES = (ConnectionError, TimeoutError, ClusterDownError, SlotNotCoveredError)


class BoundedCluster(redis.RedisCluster):
    """A Cluster whose commands end with the thread's command time."""

    def __init__(self, **options: Any) -> None:
        self._finding_out = threading.Lock()
        super().__init__(**options)

    def execute_command(self, *args: Any, **options: Any) -> Any:
        """The answer of the server that has the key's slot."""
        try:
            return super().execute_command(*args, **options)  # type: ignore[no-untyped-call] # redis-py's own
        except _SURPRISES:
            self._find_out_in_the_background()
            raise

    def ping(self, **options: Any) -> bool:
        """Whether any server of it answers: what is left of a broken cluster still serves its part."""
        lost: Exception = SlotNotCoveredError("no server is known")
        primaries = self.nodes_manager.get_nodes_by_server_type("primary")
        for node in random.sample(primaries, len(primaries)):
            try:
                return bool(self._execute_command(node, "PING", **options))
            except (ConnectionError, TimeoutError) as error:
                lost = error
        self._find_out_in_the_background()
        raise lost

    def _execute_command(self, target_node: ClusterNode, *args: Any, **options: Any) -> Any:
        """What redis-py calls for each server that a command goes to."""
        asking = False  # an ASK holds for this one command, a MOVED for all that follow
        for _ in range(1 + MOST_REDIRECTIONS):
            try:
                return self._asked(target_node, args, options, is_redirected=asking)
            except MovedError as moved:
                self.nodes_manager.move_slot(moved)
                target_node, asking = self._node_at(moved), False
            except AskError as asked:
                target_node, asking = self._node_at(asked), True
        raise ClusterError("redirected too often")

    def _asked(self, node: ClusterNode, args: Any, options: dict[str, Any], *, is_redirected: bool) -> Any:
        client = self.get_redis_connection(node)
        if not is_redirected:
            return client.execute_command(*args, **options)
        # ASKING holds for the next command of the same connection.
        pipeline = client.pipeline(transaction=False)
        pipeline.execute_command("ASKING")
        pipeline.execute_command(*args, **options)
        return pipeline.execute()[1]

    def _node_at(self, redirection: AskError) -> ClusterNode:
        known: ClusterNode | None = self.nodes_manager.get_node(host=redirection.host, port=redirection.port)
        if known is None:  # a server that has just joined
            self._find_out_in_the_background()
            known = ClusterNode(redirection.host, redirection.port)
        return known

    def _find_out_in_the_background(self) -> None:
        if self._finding_out.acquire(blocking=False) and not start_thread(self._find_out, "redis-topology"):
            self._finding_out.release()

    def _find_out(self) -> None:
        try:
            with contextlib.suppress(*LOSSES), command_time(TOPOLOGY_SECONDS):
                self.nodes_manager.initialize(disconnect_startup_nodes_pools=False)
            threading.Event().wait(PAUSE_SECONDS)
        finally:
            self._finding_out.release()
