"""What a channel would show of a publication, told before anything is sent."""

from typing import Annotated, Literal

from pydantic import Field, TypeAdapter

from shared.fields import ChannelName, Model


class Piece(Model):
    """One thing that the channel would show: a message, a post, a page, a column of a newspaper."""

    text: str = Field(description="As readers see it, in the format that `format` names.")
    format: Literal["plain", "html"] = "plain"
    images: tuple[str, ...] = Field(default=(), description="Texts that stand for the images shown with it.")
    video: str | None = Field(default=None, description="The name of the video shown with it.")
    link: str | None = Field(default=None, description="Where it leads, if that is known before.")


class Preview(Model):
    """One channel's answer. Every text in it is for a clerk: in Ukrainian."""

    channel: ChannelName
    refusal: str | None = Field(default=None, description="Why the channel would not take it at all.")
    pieces: tuple[Piece, ...] = ()
    address: str | None = Field(default=None, description="Where people would see it, if that is known.")
    problems: tuple[Annotated[str, Field(min_length=1)], ...] = Field(
        default=(), description="What does not fit as it is, and what the channel would do about it."
    )


PREVIEWS: TypeAdapter[tuple[Preview, ...]] = TypeAdapter(tuple[Preview, ...])
"""What the publisher answers to a publication that is only tried: one for each channel among its targets."""
