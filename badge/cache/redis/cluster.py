"""redis-py's Cluster client, without topology refreshes inside a command.

redis-py refreshes the topology within the failed command, behind a lock, with sleeps of 250 ms while the cluster is
down. Here a command only follows redirections; after an error, the topology is refreshed in the background.
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

# A slot that moves causes one redirection; more than two for one command are unlikely.
MOST_REDIRECTIONS = 3
# Enough for three silent servers before one that answers.
TOPOLOGY_SECONDS = 1.0
# However many commands fail, the topology is refreshed at most once in this time.
PAUSE_SECONDS = 1.0

_SURPRISES = (ConnectionError, TimeoutError, ClusterDownError, SlotNotCoveredError)


class BoundedCluster(redis.RedisCluster):
    """A Cluster client whose commands end within the thread's command time."""

    def __init__(self, **options: Any) -> None:
        self._refreshing = threading.Lock()
        super().__init__(**options)

    def execute_command(self, *args: Any, **options: Any) -> Any:
        """Run a command on the server that has the key's slot."""
        try:
            return super().execute_command(*args, **options)  # type: ignore[no-untyped-call] # redis-py's own
        except _SURPRISES:
            self._refresh_in_background()
            raise

    def ping(self, **options: Any) -> bool:
        """Return True if any primary answers, else raise: the rest of a broken cluster still serves its slots."""
        lost: Exception = SlotNotCoveredError("no server is known")
        primaries = self.nodes_manager.get_nodes_by_server_type("primary")
        for node in random.sample(primaries, len(primaries)):
            try:
                return bool(self._execute_command(node, "PING", **options))
            except (ConnectionError, TimeoutError) as error:
                lost = error
        self._refresh_in_background()
        raise lost

    def _execute_command(self, target_node: ClusterNode, *args: Any, **options: Any) -> Any:
        """Run a command on this server, or where it redirects to; redis-py calls this for each server of a command."""
        asking = False  # ASK redirects this one command, MOVED all later ones too
        for _ in range(1 + MOST_REDIRECTIONS):
            try:
                return self._send(target_node, args, options, asking=asking)
            except MovedError as moved:
                self.nodes_manager.move_slot(moved)
                target_node, asking = self._node_at(moved), False
            except AskError as asked:
                target_node, asking = self._node_at(asked), True
        raise ClusterError("redirected too often")

    def _send(self, node: ClusterNode, args: Any, options: dict[str, Any], *, asking: bool) -> Any:
        client = self.get_redis_connection(node)
        if not asking:
            return client.execute_command(*args, **options)
        # ASKING applies to the next command on the same connection.
        pipeline = client.pipeline(transaction=False)
        pipeline.execute_command("ASKING")
        pipeline.execute_command(*args, **options)
        return pipeline.execute()[1]

    def _node_at(self, redirection: AskError) -> ClusterNode:
        known: ClusterNode | None = self.nodes_manager.get_node(host=redirection.host, port=redirection.port)
        if known is None:  # a server that has just joined
            self._refresh_in_background()
            known = ClusterNode(redirection.host, redirection.port)
        return known

    def _refresh_in_background(self) -> None:
        if self._refreshing.acquire(blocking=False) and not start_thread(self._refresh_topology, "redis-topology"):
            self._refreshing.release()

    def _refresh_topology(self) -> None:
        try:
            with contextlib.suppress(*LOSSES), command_time(TOPOLOGY_SECONDS):
                self.nodes_manager.initialize(disconnect_startup_nodes_pools=False)
            threading.Event().wait(PAUSE_SECONDS)
        finally:
            self._refreshing.release()
