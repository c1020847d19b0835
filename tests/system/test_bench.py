"""How the benchmarks judge: what counts as a leak, which answers are right, which arguments are refused."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable

import pytest

from bench.__main__ import SECTIONS
from bench.faults import true_status
from bench.growth import Sample, complaints, mb_per_ten_minutes
from bench.herd import Outcome, row
from bench.load import Load
from bench.rounds import in_turn, ratio
from bench.serving import GRANIAN, note_on_granian
from bench.soak import Record
from tests.load import Answer
from tests.servers import PROJECT


def samples(
    rss_mb: Callable[[int], float] = lambda _: 60.0,
    descriptors: Callable[[int], int] = lambda _: 20,
    threads: Callable[[int], int] = lambda _: 15,
) -> list[Sample]:
    """Return the samples of a worker, taken every five seconds for three minutes."""
    return [Sample(5.0 * n, 7, rss_mb(n), 30.0, descriptors(n), threads(n)) for n in range(36)]


@pytest.mark.parametrize(
    ("held", "words"),
    [
        (samples(rss_mb=lambda n: 60 + n / 8), "memory grows by 15.0 MB"),
        (samples(descriptors=lambda n: 20 + n), "descriptors grew from 43 to 55"),
        (samples(threads=lambda n: 15 + n // 2), "threads grew"),
    ],
)
def test_a_leak_is_reported(held: list[Sample], words: str) -> None:
    assert [words in complaint for complaint in complaints(held)] == [True]


def test_caches_that_fill_up_at_the_beginning_are_not_a_leak() -> None:
    held = samples(rss_mb=lambda n: 60 + min(n, 12), descriptors=lambda n: 20 + n % 5, threads=lambda n: 6 + min(n, 9))
    assert complaints(held) == []
    assert mb_per_ten_minutes(held) == pytest.approx(0, abs=0.1)


def answer(name: str, shown: str, code: int = 200, seconds: float = 0.1) -> Answer:
    body = f"<title>backup: {shown}</title>".encode()
    return Answer(f"http://127.0.0.1:1/badge/acme/{name}", code, seconds, body=body)


@pytest.mark.parametrize(
    ("given", "fault"),
    [
        (answer("warm-1", true_status("warm-1")), None),
        (answer("new-1", true_status("new-1")), None),
        (answer("new-1", "unknown"), "1 of 1 new badges were unknown"),
        (answer("warm-1", "unknown"), "1 wrong answers: warm: unknown"),
        (answer("new-1", true_status("new-2")), "1 wrong answers: new: succeeded"),
        (answer("warm-1", true_status("warm-1"), code=502), "1 answers were not 200"),
        (answer("warm-1", true_status("warm-1"), seconds=4), "1 answers took longer than 3 s"),
    ],
)
def test_only_the_true_status_delivered_in_time_counts_as_right(given: Answer, fault: str | None) -> None:
    record = Record()
    record.add([given])
    assert record.faults(workers=0) == ([fault] if fault else [])


def test_a_replaced_worker_is_reported() -> None:
    record = Record()
    record.samples = {7: samples(), 8: samples(), 9: samples()[:1]}
    assert record.faults(workers=2) == ["1 workers ended and were replaced"]


def test_a_ratio_compares_results_of_the_same_round() -> None:
    rates = iter([10.0, 20.0, 1.0, 2.0, 100.0, 300.0])
    found = in_turn(3, {"ours": lambda: next(rates), "other": lambda: next(rates)})
    assert ratio(found["ours"], found["other"]) == 0.5


def test_herds_are_judged_by_the_worst_one() -> None:
    herds = [Outcome(true, calls, 400.0) for true, calls in ((256, 1), (255, 1), (256, 2))]
    assert row("ours", herds) == ["ours; 3 bursts", "255, 256", "2, 1", "400 ms"]


def test_the_note_on_granian_multiplies_rate_and_latency_in_each_round() -> None:
    few = [Load(0, per_second, p50_us, 0.0) for per_second, p50_us in ((1_000, 8_000), (2_000, 1_000), (4_000, 2_000))]
    many = [Load(0, per_second=1_800, p50_us=140_000, p99_us=0.0)]
    note = note_on_granian({32: {GRANIAN: few}, 256: {GRANIAN: many}})
    assert "approximately): 8 of 32, 252 of 256. " in note


def run(module: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", module, *arguments]
    return subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize(
    ("module", "arguments", "words"),
    [
        ("bench", ["--only", "nonsense"], "invalid choice: 'nonsense'"),
        ("bench", ["--rounds", "0"], "--rounds must be at least 1"),
        ("bench.soak", ["--minutes", "0"], "--minutes must be between 0.5 and 120"),
    ],
)
def test_bad_arguments_are_refused_before_anything_runs(module: str, arguments: list[str], words: str) -> None:
    done = run(module, *arguments)
    assert (done.returncode, words in done.stderr) == (2, True)


def test_help_names_every_section_and_an_example() -> None:
    help = run("bench", "--help").stdout
    assert all(name in help for name in SECTIONS)
    assert 'make bench ARGS="' in help
