"""Reads a system's answer according to a recipe. No I/O.

Each step is also recorded as text, for `badge sources try`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import takewhile

from badge.contract import LARGEST_SIZE, https_url
from badge.events import FailureKind
from badge.model import (
    CASELESS_PLATFORMS,
    FINISHED,
    BackupStatus,
    Outcomes,
    Reason,
    Report,
    Verification,
    VerificationMethod,
    VerificationOutcome,
    Visibility,
)
from badge.ports import SourceUnavailable
from badge.sources.recipes.ageing import aged
from badge.sources.recipes.expression import Expression, ExpressionFailed
from badge.sources.recipes.recipe import NOT_OVER, Outcome, Recipe
from badge.sources.recipes.times import is_never, read_time

# How many runs are searched for the last success and the last finished run.
MOST_RUNS = 100
BELIEVABLE_LEAD = timedelta(days=1)

# Outcomes that don't say how a run ended; an older run is consulted instead.
_WITHOUT_RESULT = NOT_OVER | {Outcome.DELETED, Outcome.ABSENT}


@dataclass(frozen=True, slots=True)
class Reading:
    """The report in an answer, and how it was read."""

    report: Report
    has_unknown_status: bool = False
    """Whether the answer has a state that the recipe's `map` lacks."""
    steps: Sequence[str] = ()
    item: object = None
    """The newest run's item, if there is one."""
    knows_visibility: bool = True
    """False if the items say whether a subject is private, and there is no item for this one."""

    def report_after(self, known: Report | None) -> Report:
        """Return the report; if the answer has no visibility, the known one applies, else private."""
        if self.knows_visibility:
            return self.report
        return replace(self.report, visibility=known.visibility if known and known.exists else Visibility.PRIVATE)


@dataclass(frozen=True, slots=True)
class _Verdict:
    """The outcome of one run according to the rules."""

    item: object
    outcome: Outcome
    is_known_word: bool
    steps: Sequence[str]


@dataclass(frozen=True, slots=True)
class Reader:
    """Reads answers as one recipe describes."""

    recipe: Recipe
    folds_case: bool = False
    """Whether `where` ignores case on platforms that do so themselves."""

    def read(self, document: object, names: Mapping[str, str], now: datetime, then: object = None) -> Reading:
        """Return what the document says about the subject with these names; raises `SourceUnavailable`.

        `then` is the answer to the follow-up request. An expression that gets a value of the wrong type fails for this
        subject alone, and doesn't count as an outage of the source.
        """
        try:
            self._check_document(document)
            found = _as_list(self.recipe.items.on(document))
            if self.recipe.then is not None:
                found = [{**item, "then": then} if isinstance(item, dict) else item for item in found]
            reading = self._reading(found, names, now)
            return self._with_verification(reading, {"answer": document, "then": then, "item": reading.item}, now)
        except ExpressionFailed as failed:
            raise SourceUnavailable(FailureKind.BAD_EXPRESSION, is_about_subject=True) from failed

    def _with_verification(self, reading: Reading, context: object, now: datetime) -> Reading:
        """Add the latest verification; a successful run never counts as one."""
        found, report = self.recipe.verification, reading.report
        if found is None or not report.exists:
            return reading
        outcome = VerificationOutcome.FAILED if found.failed.holds_for(context) else None
        if outcome is None and found.passed.holds_for(context):
            outcome = VerificationOutcome.PASSED
        if outcome is None:
            return replace(reading, steps=[*reading.steps, "verification: none"])
        how = text_of(_found(found.how, context))
        method = VerificationMethod(how) if how in tuple(VerificationMethod) else None
        verification = Verification(outcome, self._past(found.at, context, now), method)
        steps = [*reading.steps, f"verification: {outcome.value}"]
        return replace(reading, report=replace(report, verification=verification), steps=steps)

    def _check_document(self, document: object) -> None:
        denied, fine = self.recipe.denied_when, self.recipe.ok_when
        if denied is not None and denied.holds_for(document):
            raise SourceUnavailable(FailureKind.UNAUTHORISED)
        if fine is not None and not fine.holds_for(document):
            raise SourceUnavailable(FailureKind.NOT_OK)

    def _reading(self, found: Sequence[object], names: Mapping[str, str], now: datetime) -> Reading:
        items = [item for item in found if self._is_asked_for(item, names)]
        runs = [item for item in items if not _holds(self.recipe.exclude, item)]
        steps = [f"items: {len(found)} found, {len(items)} after where, {len(runs)} after exclude"]
        next_run_at = self._next_run(items)
        if self.recipe.unique and len(runs) > 1:
            raise SourceUnavailable(FailureKind.NOT_UNIQUE, is_about_subject=True)
        if not runs:
            return self._without_runs(next_run_at, now, steps)
        return self._of_runs(self._newest_first(runs), next_run_at, now, steps)

    def _is_asked_for(self, item: object, names: Mapping[str, str]) -> bool:
        return all(self._same(where.expr.on(item), where.equals.expand(names), names) for where in self.recipe.where)

    def _same(self, found: object, wanted: str, names: Mapping[str, str]) -> bool:
        text = text_of(found)
        if self.folds_case and names["platform"].lower() in CASELESS_PLATFORMS and text is not None:
            return text.lower() == wanted.lower()
        return text == wanted

    def _next_run(self, items: Sequence[object]) -> datetime | None:
        chosen = self.recipe.next
        if chosen is None:
            return None
        moments = (self._time(chosen.field, item) for item in items if chosen.where.holds_for(item))
        return min((moment for moment in moments if moment is not None), default=None)

    def _newest_first(self, runs: Sequence[object]) -> Sequence[object]:
        by = self.recipe.latest_by
        if by is None:
            return runs
        dated = [(self._deciding_time(by, run), run) for run in runs]
        return [run for _, run in sorted(dated, key=lambda pair: pair[0], reverse=True)]

    def _deciding_time(self, by: Expression, run: object) -> datetime:
        """Return the time to sort by; runs without one come last.

        Raises `SourceUnavailable` if the time can't be read, since an old run could then pass for the newest.
        """
        found = by.on(run)
        moment = read_time(found, self.recipe.times.timezone)
        if moment is None and not is_never(found):
            raise SourceUnavailable(FailureKind.BAD_FIELD, is_about_subject=True)
        return moment or datetime.min.replace(tzinfo=UTC)

    def _without_runs(self, next_run_at: datetime | None, now: datetime, steps: list[str]) -> Reading:
        outcome = self.recipe.empty
        if next_run_at is not None:  # no run yet, but one is due
            outcome = Outcome.SCHEDULED
        steps = [*steps, f"empty: {outcome.value}"]
        if outcome is Outcome.ABSENT:
            return Reading(Report.absent(now), steps=steps)
        report = Report(status=self.recipe.meaning(outcome), observed_at=now, next_run_at=next_run_at)
        return Reading(report, steps=steps, knows_visibility=self.recipe.fields.private is None)

    def _of_runs(
        self, runs: Sequence[object], next_run_at: datetime | None, now: datetime, steps: list[str]
    ) -> Reading:
        # Without `latest_by`, the order of the items is unknown, so those after the first need not be older runs.
        searched = runs[: MOST_RUNS if self.recipe.latest_by else 1]
        verdicts = [verdict for run in searched for verdict in self._verdicts(run)]
        # If all runs were cancelled, there is no previous one, and the newest decides.
        if self.recipe.cancelled_as == "previous":
            verdicts = [verdict for verdict in verdicts if verdict.outcome is not Outcome.CANCELLED] or verdicts
        latest = verdicts[0]
        steps = [*steps, *latest.steps]
        if latest.outcome is Outcome.ABSENT:
            return Reading(Report.absent(now), steps=steps)
        clock = self._time(self.recipe.clock, latest.item) or now
        report = self._report(latest, verdicts, now, clock)
        report = replace(report, next_run_at=report.next_run_at or next_run_at)
        result = aged(report, self.recipe, now, clock)
        if result.status is not report.status:
            steps.append(f"too old: {report.status.value} counts as {result.status.value}")
        if latest.outcome in NOT_OVER:
            steps.append(f"previous run: {result.last_finished or 'result unknown'}")
        return Reading(result, not latest.is_known_word, steps, latest.item)

    def _verdicts(self, run: object) -> Iterator[_Verdict]:
        """Yield the outcome of an item's run and, if a rule has `read_on`, of the run before it."""
        steps = []
        for index, rule in enumerate(self.recipe.rules):
            holds = rule.when.holds_for(run)
            steps.append(f"rules[{index}]: {rule.when.text}: {rule.status.value if holds else 'no'}")
            if holds:
                yield _Verdict(run, rule.status, is_known_word=True, steps=tuple(steps))
            if holds and not rule.read_on:
                return
        yield self._by_state(run, steps)

    def _by_state(self, run: object, steps: list[str]) -> _Verdict:
        default = self.recipe.default
        if self.recipe.state is None:
            return _Verdict(run, default, is_known_word=True, steps=[*steps, f"default: {default.value}"])
        state = text_of(self.recipe.state.on(run))
        outcome = self.recipe.map.get(state) if state is not None else None
        step = f"state: {state!r}: {outcome.value if outcome else f'{default.value}, by default'}"
        return _Verdict(run, outcome or default, is_known_word=outcome is not None, steps=[*steps, step])

    def _report(self, latest: _Verdict, verdicts: Sequence[_Verdict], now: datetime, clock: datetime) -> Report:
        item, fields = latest.item, self.recipe.fields
        status = self.recipe.meaning(latest.outcome)
        ended = [verdict for verdict in verdicts if self.recipe.meaning(verdict.outcome) in FINISHED]
        finished_at = self._past(fields.finished_at, item, now)
        results = list(self._results(verdicts, clock))
        return Report(
            status=status,
            observed_at=now,
            started_at=self._past(fields.started_at, item, now),
            finished_at=finished_at if status in FINISHED else None,
            last_success_at=self._last_success(item, ended, now),
            # If the last result is unknown, older runs do not count in its place.
            last_finished=results[0] if results and _is_finished(results[0]) else None,
            outcomes=self._outcomes(results),
            next_run_at=self._time(fields.next_run_at, item),
            size_bytes=_size(_found(fields.size_bytes, item)),
            url=https_url(_found(fields.url, item)),
            visibility=self._visibility(item),
            reason=_REASONS.get(latest.outcome) if status is BackupStatus.FAILED else None,
        )

    def _results(self, verdicts: Sequence[_Verdict], clock: datetime) -> Iterator[BackupStatus]:
        """Yield how the runs ended: succeeded, failed or unknown.

        A run that hangs counts as failed; other runs without a result are skipped.
        """
        for verdict in verdicts:
            if self._hangs(verdict, clock):
                yield BackupStatus.FAILED
            elif verdict.outcome not in _WITHOUT_RESULT:
                yield self.recipe.meaning(verdict.outcome)

    def _outcomes(self, results: Sequence[BackupStatus]) -> Outcomes | None:
        """Return the results newer than the latest unknown one; a gap would make the success rate wrong.

        Returns None if the newest result is unknown, or if the items may lack some recent runs, such as failed ones.
        """
        known = list(takewhile(_is_finished, results))
        if not self.recipe.lists_runs or (results and not known):
            return None
        return Outcomes.of(reversed(known))

    def _hangs(self, verdict: _Verdict, clock: datetime) -> bool:
        """Whether the run has exceeded `max_run`, as after a crash that the system did not notice."""
        if verdict.outcome is not Outcome.IN_PROGRESS:
            return False
        started_at = self._time(self.recipe.fields.started_at, verdict.item)
        return started_at is not None and started_at + self.recipe.max_run <= clock

    def _last_success(self, item: object, ended: Sequence[_Verdict], now: datetime) -> datetime | None:
        given = self._past(self.recipe.fields.last_success_at, item, now)
        if given is not None:
            return given
        successes = (run for run in ended if self.recipe.meaning(run.outcome) is BackupStatus.SUCCEEDED)
        newest = next(successes, None)
        return None if newest is None else self._past(self.recipe.fields.finished_at, newest.item, now)

    def _visibility(self, item: object) -> Visibility:
        private = self.recipe.fields.private
        is_public = private is None or private.on(item) is False
        return Visibility.PUBLIC if is_public else Visibility.PRIVATE

    def _past(self, expression: Expression | None, item: object, now: datetime) -> datetime | None:
        """Return a time that can't be in the future.

        A time up to `BELIEVABLE_LEAD` ahead counts as now, since clocks differ. One further ahead is ignored: a success
        in 2099 would never become outdated.
        """
        moment = self._time(expression, item)
        return None if moment is None or moment > now + BELIEVABLE_LEAD else min(moment, now)

    def _time(self, expression: Expression | None, item: object) -> datetime | None:
        return read_time(_found(expression, item), self.recipe.times.timezone)


_REASONS = {Outcome.PARTIAL: Reason.PARTIAL, Outcome.CANCELLED: Reason.CANCELLED}


def _is_finished(status: BackupStatus) -> bool:
    return status in FINISHED


def _as_list(found: object) -> Sequence[object]:
    if found is None:
        return []
    return found if isinstance(found, list) else [found]


def _holds(expression: Expression | None, item: object) -> bool:
    return expression is not None and expression.holds_for(item)


def _found(expression: Expression | None, item: object) -> object:
    return None if expression is None else expression.on(item)


def text_of(found: object) -> str | None:
    """Return a scalar as it would be written in the recipe's file; None for anything else."""
    match found:
        # Before int, of which bool is a subclass.
        case bool():
            return str(found).lower()
        case str():
            return found
        case int():
            return str(found)
        case float():
            return f"{found:g}"
        case _:
            return None


def _size(found: object) -> int | None:
    """Return a number of bytes, even if given as text, which is how proto3 writes 64-bit numbers."""
    if isinstance(found, str) and found.isascii() and found.isdigit() and len(found) < 20:
        found = int(found)
    if isinstance(found, bool) or not isinstance(found, int) or not 0 <= found < LARGEST_SIZE:
        return None
    return found
