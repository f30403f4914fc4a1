"""Where a publication goes: the channels that were asked for, or those that its kind goes to by default."""

from collections.abc import Sequence

from shared.publication import Content
from shared.vocabulary import Kind

MAIL = "mail"
ADVANCE = "advance"

OWN_TABLE: dict[str, frozenset[Kind]] = {
    "site": frozenset(Kind),
    "youtube": frozenset({Kind.VIDEO, Kind.BROADCAST}),
    "newspaper": frozenset({Kind.ANNOUNCEMENT, Kind.EXPLAINER, Kind.REGULATORY_ACT, Kind.INTERVIEW}),
    "television": frozenset({Kind.BROADCAST}),
    "radio": frozenset({Kind.BROADCAST}),
}
"""The kinds that go to a channel unasked, for channels that take some kinds of their own."""
FEED = frozenset(Kind) - {Kind.REGULATORY_ACT}
"""The kinds that go unasked to every other channel: a feed that people read, social network or messenger."""


def unknown_channels(content: Content, on: Sequence[str]) -> list[str]:
    """Channels asked for that are not on."""
    return [channel for channel in content.channels or () if channel not in on]


def targets_of(content: Content, on: Sequence[str], *, advance: bool) -> tuple[str, ...]:
    """Whose outcomes the receipt waits for."""
    if content.channels is None:
        channels = tuple(channel for channel in on if content.kind in OWN_TABLE.get(channel, FEED))
    else:
        channels = tuple(channel for channel in content.channels if channel in on)
    return (*((ADVANCE,) if advance else ()), *channels, MAIL)
