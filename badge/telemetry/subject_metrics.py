"""The metrics of each subject, in Prometheus' text format.

Not written with prometheus_client, which takes about ten times as long (bench/scrapes.py).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from badge.listing import SubjectFacts
from badge.model import BackupStatus, VerificationOutcome
from badge.telemetry.metrics import Declared, Kind

LABELS = ("platform", "account", "type", "name")

_STATUS = Declared(
    "backup_status",
    Kind.GAUGE,
    "1 for the status that the subject's badge shows, 0 for the others.",
    (*LABELS, "status"),
)
_OVERDUE = Declared(
    "backup_overdue", Kind.GAUGE, "For subjects with a check: 1 if the next backup is overdue, else 0.", LABELS
)
_LAST_FINISHED = Declared(
    "backup_last_finished_success",
    Kind.GAUGE,
    "1 if the last finished backup succeeded, 0 if it failed or the next one is overdue.",
    LABELS,
)
_LAST_SUCCESS = Declared(
    "backup_last_success_timestamp_seconds", Kind.GAUGE, "When the last successful backup ended.", LABELS
)
_SIZE = Declared("backup_last_size_bytes", Kind.GAUGE, "Size of the last backup.", LABELS)
_DURATION = Declared("backup_last_duration_seconds", Kind.GAUGE, "Duration of the last backup.", LABELS)
_VERIFIED = Declared(
    "backup_last_verified_timestamp_seconds",
    Kind.GAUGE,
    "When the latest verification ended, if it passed.",
    LABELS,
)
_VERIFICATION = Declared(
    "backup_last_verification_success",
    Kind.GAUGE,
    "1 if the latest verification passed, 0 if it failed.",
    (*LABELS, "how"),
)
_LISTED = Declared(
    "backup_source_listed",
    Kind.GAUGE,
    "1 if all subjects of the source were listed, 0 if some or all of them may be missing.",
    ("source",),
)
_MISSING = Declared("backup_subjects_missing", Kind.GAUGE, "Subjects left out because of BADGE_METRICS_SUBJECTS.")

OF_SUBJECTS = (_STATUS, _OVERDUE, _LAST_FINISHED, _LAST_SUCCESS, _SIZE, _DURATION, _VERIFIED, _VERIFICATION)
SUBJECT_METRICS = (*OF_SUBJECTS, _LISTED, _MISSING)

_MICROSECONDS = 1_000_000

_VALUES: Mapping[Declared, Callable[[SubjectFacts], float | None]] = {
    _OVERDUE: lambda facts: None if facts.is_overdue is None else int(facts.is_overdue),
    _LAST_FINISHED: lambda facts: _is_success(facts.last_finished),
    _LAST_SUCCESS: lambda facts: _seconds(facts.succeeded_at),
    _SIZE: lambda facts: facts.size_bytes,
    _DURATION: lambda facts: _seconds(facts.took),
    _VERIFIED: lambda facts: _seconds(facts.verified_at),
}
"""The values of metrics that have no further labels; without a value, there is no time series."""

_STATES = {
    shown.value: "".join(
        f'{_STATUS.name}{{\0,status="{status.value}"}} {int(status is shown)}\n' for status in BackupStatus
    )
    for shown in BackupStatus
}
"""The lines of each status, with NUL in place of the subject's labels, which contain no control characters."""


def exposition(batches: Iterable[Sequence[SubjectFacts]], listed: Mapping[str, bool], number: int) -> list[bytes]:
    """Return the text in parts.

    `batches`: the facts about all subjects, or about some of them. `listed`: for each source, whether all of its
    subjects are known. `number`: how many subjects there are.
    """
    parts = {metric: [_heading(metric)] for metric in SUBJECT_METRICS}
    written = 0
    for batch in batches:
        labelled = [(_labels(LABELS, facts[:4]), facts) for facts in batch]
        parts[_STATUS].append("".join([_STATES[facts.status].replace("\0", labels) for labels, facts in labelled]))
        # Nobody expects any more backups of deleted subjects, so only their status is of interest.
        existing = [pair for pair in labelled if pair[1].status != BackupStatus.DELETED]
        for metric, value_of in _VALUES.items():
            values = [(labels, value_of(facts)) for labels, facts in existing]
            lines = [f"{metric.name}{{{labels}}} {value}\n" for labels, value in values if value is not None]
            parts[metric].append("".join(lines))
        parts[_VERIFICATION] += [
            f'{_VERIFICATION.name}{{{labels},how="{facts.verified_how or ""}"}} '
            f"{int(facts.verification == VerificationOutcome.PASSED)}\n"
            for labels, facts in existing
            if facts.verification is not None
        ]
        written += len(batch)
    parts[_LISTED] += [
        f"{_LISTED.name}{{{_labels(_LISTED.labels, [name])}}} {int(is_whole)}\n" for name, is_whole in listed.items()
    ]
    parts[_MISSING].append(f"{_MISSING.name} {max(0, number - written)}\n")
    return [part.encode() for metric in parts.values() for part in metric]


def _heading(metric: Declared) -> str:
    return f"# HELP {metric.name} {metric.help}\n# TYPE {metric.name} gauge\n"


def _labels(names: Sequence[str], values: Sequence[str]) -> str:
    """Return labels without braces. Names of subjects may contain quotes and backslashes."""
    escaped = (value.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"') for value in values)
    return ",".join([f'{name}="{value}"' for name, value in zip(names, escaped, strict=True)])


def _is_success(outcome: str | None) -> int | None:
    return None if outcome is None else int(outcome == BackupStatus.SUCCEEDED)


def _seconds(microseconds: int | None) -> float | None:
    return None if microseconds is None else microseconds / _MICROSECONDS
