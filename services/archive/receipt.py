"""The receipt: what each target made of a publication, what is still to come, and whether that is all.

Pure: from the latest fact and the reports that stand, one a target.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from services.archive.precedence import State, place_of_report
from shared.events import Delivery, DeliveryReported, Outcome

ADVANCE = "advance"
DIGEST = "digest"


@dataclass(frozen=True)
class Latest:
    """What the latest fact about a publication says of its receipt."""

    state: State
    rank: int
    targets: Sequence[str]


def standing(reports: Iterable[DeliveryReported]) -> dict[str, Delivery]:
    """The report that stands, by target."""
    chosen: dict[str, DeliveryReported] = {}
    for report in reports:
        known = chosen.get(report.data.target)
        if known is None or place_of_report(known) < place_of_report(report):
            chosen[report.data.target] = report
    return {target: report.data for target, report in chosen.items()}


def expected(latest: Latest) -> tuple[str, ...]:
    """Targets whose report of the latest fact is waited for, before or after its hour.

    Digests go out at each outlet's own hour and are not waited for; nor are mails in advance once the
    publication is public or taken back, since they speak of an earlier fact.
    """
    passed = {DIGEST, ADVANCE} if latest.state is not State.EMBARGOED else {DIGEST}
    return tuple(target for target in dict.fromkeys(latest.targets) if target not in passed)


def waiting(latest: Latest, reports: Mapping[str, Delivery]) -> tuple[str, ...]:
    """Targets that have said nothing yet about the latest fact."""
    return tuple(
        target for target in expected(latest) if target not in reports or reports[target].rank != latest.rank
    )


def complete(latest: Latest, reports: Mapping[str, Delivery]) -> bool:
    """Whether nothing more will happen by itself.

    That is: the publication is released or withdrawn, and every target has a final outcome for exactly
    that fact. A report of a fact that is yet unknown here means that more is on its way.
    """
    return latest.state.settled and all(
        target in reports and reports[target].rank == latest.rank and reports[target].outcome.final
        for target in expected(latest)
    )


def in_order(latest: Latest, reports: Mapping[str, Delivery]) -> list[Delivery]:
    """The entries as they are shown: the publication's targets first, in their order, then others by name."""
    place = {target: index for index, target in enumerate(latest.targets)}
    return sorted(reports.values(), key=lambda report: (place.get(report.target, len(place)), report.target))


def troubled(report: Delivery) -> bool:
    """Whether a person should look at it."""
    return report.outcome is Outcome.FAILED or report.in_doubt or bool(report.failed)
