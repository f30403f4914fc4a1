"""The settings that television and radio each have of their own, under their own names."""

from zoneinfo import ZoneInfo

from pydantic import AliasGenerator, BaseModel, EmailStr, Field, SecretStr
from pydantic_settings import SettingsConfigDict

from services.publisher.channels.rundown.wording import key_of
from shared.fields import Line

KYIV = ZoneInfo("Europe/Kyiv")


class Terms(BaseModel):
    """What was agreed with the stations, and how their links are signed."""

    link_secret: SecretStr = Field(min_length=16, description="Signs the links by which stations answer.")
    stations: dict[Line, tuple[EmailStr, ...]] = Field(
        default={}, description="Addresses of each station, as JSON; a station without one gets no mail."
    )
    mail_day: int = Field(default=4, ge=1, le=7, description="Weekday of the mail; 1 is Monday.")
    mail_hour: int = Field(default=10, ge=0, le=23, description="Its hour in Kyiv.")
    weeks: int = Field(default=2, ge=1, le=8, description="Weeks ahead that the mail tells of.")
    look_every: float = Field(default=15, gt=0, description="Seconds between two looks at what is due.")
    answer_days: int = Field(default=120, ge=1, description="Days for which a station's link is good.")

    def addresses(self, station: str) -> tuple[str, ...]:
        """A station's; found however its name is spaced and quoted."""
        wanted = key_of(station)
        return next((given for name, given in self.stations.items() if key_of(name) == wanted), ())


def read_as(prefix: str) -> SettingsConfigDict:
    """How a section reads its fields: `mail_hour` as `<PREFIX>_MAIL_HOUR`."""
    return SettingsConfigDict(
        populate_by_name=True,
        extra="ignore",
        frozen=True,
        alias_generator=AliasGenerator(validation_alias=lambda name: f"{prefix}_{name.upper()}"),
    )
