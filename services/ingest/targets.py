"""Where a publication goes: the channels that were asked for, or those that its kind goes to by default."""

from collections.abc import Sequence

from shared.publication import Content
from shared.vocabulary import Kind

MAIL = "mail"
ADVANCE = "advance"

_SOCIAL = ("telegram", "facebook")
DEFAULT_CHANNELS: dict[Kind, tuple[str, ...]] = {
    Kind.NEWS: ("site", *_SOCIAL),
    Kind.ANNOUNCEMENT: ("site", "telegram", "newspaper"),
    Kind.PRESS_RELEASE: ("site", *_SOCIAL),
    Kind.EXPLAINER: ("site", *_SOCIAL, "newspaper"),
    Kind.REGULATORY_ACT: ("site", "newspaper"),
    Kind.EVENT: ("site", *_SOCIAL),
    Kind.PHOTO_REPORT: ("site", *_SOCIAL),
    Kind.VIDEO: ("site", "youtube", *_SOCIAL),
    Kind.BROADCAST: ("site", "television", "radio"),
    Kind.INTERVIEW: ("site", *_SOCIAL, "newspaper"),
}
"""What each kind goes to, as far as the channels are on. A video goes to YouTube before posts link to it."""


def unknown_channels(content: Content, on: Sequence[str]) -> list[str]:
    """Channels asked for that are not on."""
    return [channel for channel in content.channels or () if channel not in on]


def targets_of(content: Content, on: Sequence[str], *, advance: bool) -> tuple[str, ...]:
    """Whose outcomes the receipt waits for."""
    wanted = DEFAULT_CHANNELS[content.kind] if content.channels is None else content.channels
    channels = tuple(channel for channel in wanted if channel in on)
    return (*((ADVANCE,) if advance else ()), *channels, MAIL)
