"""A submission that is only tried: what every channel would show of it, and what does not fit."""

from typing import Literal

from shared.bus import PUBLISHER_PREVIEWS, Bus, BusUnavailable
from shared.fields import Model
from shared.preview import PREVIEWS, Preview
from shared.publication import Publication
from shared.web import RETRY_AFTER, Problem


class Rehearsal(Model):
    """What would become of a submission. Nothing was accepted, and nothing is sent."""

    dry_run: Literal[True] = True
    fits: bool
    """Whether every channel would show it as it is."""
    targets: tuple[str, ...]
    channels: tuple[Preview, ...]


async def rehearse(bus: Bus, publication: Publication) -> Rehearsal:
    """Ask the publisher what its channels would show. Raises a 503 `Problem` where it doesn't answer."""
    try:
        answer = await bus.ask(PUBLISHER_PREVIEWS, publication.model_dump_json().encode())
    except BusUnavailable as error:
        raise Problem(
            503,
            "no-previews",
            "The channels can't be asked right now. The publication itself can be handed in.",
            headers={"Retry-After": str(RETRY_AFTER)},
        ) from error
    previews = PREVIEWS.validate_json(answer)
    fits = not any(preview.problems or preview.refusal for preview in previews)
    return Rehearsal(fits=fits, targets=publication.targets, channels=previews)
