"""Start Varnish and Squid with minimal configurations in front of a service."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from string import Template

from tests.servers import PROJECT, free_port, needs, running_program

CONFIGURATIONS = PROJECT / "tests" / "proxies"


@contextlib.contextmanager
def running_varnish(folder: Path, origin_port: int) -> Iterator[str]:
    """Yield the URL of a Varnish in front of the service on this port."""
    port, configuration = free_port(), _configuration("varnish.vcl", folder, origin_port=origin_port)
    listening = ["-F", "-a", f"127.0.0.1:{port}", "-T", "none", "-f", str(configuration)]
    bounded = ["-n", str(folder / "varnish"), "-s", "malloc,16m", "-p", "vsl_space=2M"]
    as_the_tests_user = ["-j", "none"]
    url = f"http://127.0.0.1:{port}"
    with running_program(_binary("varnishd"), *listening, *bounded, *as_the_tests_user, ready=f"{url}/livez"):
        yield url


@contextlib.contextmanager
def running_squid(folder: Path, origin_port: int) -> Iterator[str]:
    """Yield the URL of a Squid in front of the service on this port."""
    port = free_port()
    configuration = _configuration("squid.conf", folder, port=port, origin_port=origin_port)
    url = f"http://127.0.0.1:{port}"
    with running_program(_binary("squid"), "-N", "-f", str(configuration), ready=f"{url}/livez"):
        yield url


def _configuration(name: str, folder: Path, **ports: int) -> Path:
    made = folder / name
    made.write_text(Template((CONFIGURATIONS / name).read_text()).substitute(ports))
    return made


def _binary(name: str) -> str:
    # Debian installs both in /usr/sbin, which only root has on its path.
    found = shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin")
    needs(name, is_there=found is not None)
    return str(found)
