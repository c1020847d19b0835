"""The doctor's verdicts: what is wrong with a badge, and the one thing to do about it. No I/O."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from badge.appearance import Tone
from badge.model import Resolution, Subject
from badge.web.page import length

PROXY_PATIENCE = timedelta(seconds=4)
"""GitHub's image proxy gives up after about four seconds, and accepts only images."""

_GLYPHS = {Tone.GREEN: "succeeded", Tone.ORANGE: "overdue", Tone.RED: "failed"}


@dataclass(frozen=True, slots=True)
class Fault:
    """A reason why readers don't see the badge, and what to do."""

    reason: str
    advice: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """The result of an examination."""

    tone: Tone
    """Green, orange or red."""
    title: str
    reasons: Sequence[str]
    advice: str
    links: Sequence[tuple[str, str]] = ()
    """Texts and paths of pages that the advice is about."""

    @property
    def glyph(self) -> str:
        """The name of the icon with the same meaning as the tone."""
        return _GLYPHS[self.tone]


NO_IMAGE = Fault(
    "This is not an image, and proxies show only images.",
    "In the README, use the URL of the image: without .json or .txt at its end, and without format=.",
)
TOO_SLOW = Fault(
    f"This took longer than the {length(PROXY_PATIENCE)} that GitHub's proxy waits.",
    "Check again. If it is still slow, ask the operator of this service to look at its health check.",
)


def status_fault(http_status: int) -> Fault:
    """Return the fault of an answer whose HTTP status is not 200."""
    return Fault(
        f"The HTTP status is {http_status}: proxies only show images with 200.",
        "Remove strict= from the URL in the README; it is for monitors.",
    )


def stray_fault(shown: str) -> Fault:
    """Return the fault of a README that shows another URL."""
    reason = f"The README shows {shown} instead of this badge."
    return Fault(reason, "Replace that URL in the README with the one below.")


def verdict_on_faults(faults: Sequence[Fault]) -> Verdict:
    """Return the verdict on a badge that readers don't see; the first fault has to be fixed first."""
    reasons = [fault.reason for fault in faults]
    return Verdict(Tone.RED, "Readers don't see this badge", reasons, faults[0].advice)


def verdict_on_status(resolution: Resolution) -> Verdict:
    """Return the verdict on a badge that proxies can show, by how much is known about its status."""
    again = "Check again in a minute. If nothing changes, ask the operator of this service to look at its log."
    if not resolution.is_known:
        # The report may also be outdated, or a limit of ours may have suppressed the call.
        reason = "This service could not get a current status from the backup system."
        return Verdict(Tone.ORANGE, "The status can't be determined at the moment", [reason], again)
    if resolution.is_stale:
        reason = f"The backup system last confirmed this status {length(resolution.age)} ago."
        return Verdict(Tone.ORANGE, "This badge is served, but its status may be out of date", [reason], again)
    advice = "Nothing. If the README shows an older badge, refresh the proxy's copy as described below."
    return Verdict(Tone.GREEN, "This badge is served correctly", ["Proxies can show it."], advice)


def unknown_verdict(subject: Subject, similar: Sequence[tuple[str, str]] = ()) -> Verdict:
    """Return the verdict on a subject that does not exist, or is private and must look the same."""
    # First-strong isolates, so that right-to-left names don't reorder the sentence.
    account, name = (f"\u2068{part}\u2069" for part in (subject.account, subject.name))
    reason = (
        f"There is no backup with this name, or it is private: {subject.platform} · {account} · {subject.type} · {name}"
    )
    advice = "Check the name for typos. The badge of a private repository needs a token in its URL."
    if similar:
        advice = f"Check the name. Did you mean {'one of these' if len(similar) > 1 else 'this one'}?"
    return Verdict(Tone.ORANGE, "Readers see “unknown”", [reason], advice, similar)


def private_verdict(page_path: str) -> Verdict:
    """Return the verdict on a private subject, for those who may know that it exists."""
    return Verdict(
        Tone.ORANGE,
        "Readers see “unknown”",
        ["This backup is private, and the URL has no valid token."],
        "Use a URL with a token, which you can get on the repository's page:",
        [("Get badge URL", f"{page_path}?dialog=open#badge-dialog")],
    )
