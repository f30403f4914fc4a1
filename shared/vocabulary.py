"""The closed lists of words: kinds, topics, bodies, urgencies, sections, and their Ukrainian names.

Topics and bodies are those that the information department's yearly report names.
"""

from enum import StrEnum


class Kind(StrEnum):
    """What a publication is; it decides the fields it needs and the channels it goes to."""

    NEWS = "news"
    ANNOUNCEMENT = "announcement"
    PRESS_RELEASE = "press_release"
    EXPLAINER = "explainer"
    REGULATORY_ACT = "regulatory_act"
    EVENT = "event"
    PHOTO_REPORT = "photo_report"
    VIDEO = "video"
    BROADCAST = "broadcast"
    INTERVIEW = "interview"


class Topic(StrEnum):
    """What a subscription selects by: the report's twelve topics, plus `other`."""

    TRANSPORT = "transport"
    TARIFFS = "tariffs"
    MEDICINE = "medicine"
    EDUCATION = "education"
    HOUSING = "housing"
    SUBSIDIES = "subsidies"
    OSBB = "osbb"
    LANDSCAPING = "landscaping"
    COURTYARDS = "courtyards"
    HOUSE_REPAIR = "house_repair"
    URBAN_PLANNING = "urban_planning"
    PUBLIC_DISCUSSION = "public_discussion"
    OTHER = "other"


class Body(StrEnum):
    """Whose work a publication covers."""

    CITY_COUNCIL = "city_council"
    EXECUTIVE_COMMITTEE = "executive_committee"
    DEPUTIES = "deputies"
    EXECUTIVE_BODIES = "executive_bodies"


class Urgency(StrEnum):
    """How soon people need it: `emergency` is for danger and outages, never for mere importance."""

    ROUTINE = "routine"
    URGENT = "urgent"
    EMERGENCY = "emergency"


class Section(StrEnum):
    """The rubric of the site that a publication stands in."""

    OPERATIONAL = "operational"
    ANNOUNCEMENTS = "announcements"


class MediaForm(StrEnum):
    """What a file of a publication is."""

    PHOTO = "photo"
    VIDEO = "video"
    DOCUMENT = "document"


class Language(StrEnum):
    """The language a publication is written in."""

    UKRAINIAN = "uk"
    ENGLISH = "en"


SECTION_OF_KIND: dict[Kind, Section] = {
    Kind.NEWS: Section.OPERATIONAL,
    Kind.PRESS_RELEASE: Section.OPERATIONAL,
    Kind.EXPLAINER: Section.OPERATIONAL,
    Kind.PHOTO_REPORT: Section.OPERATIONAL,
    Kind.VIDEO: Section.OPERATIONAL,
    Kind.INTERVIEW: Section.OPERATIONAL,
    Kind.ANNOUNCEMENT: Section.ANNOUNCEMENTS,
    Kind.REGULATORY_ACT: Section.ANNOUNCEMENTS,
    Kind.EVENT: Section.ANNOUNCEMENTS,
    Kind.BROADCAST: Section.ANNOUNCEMENTS,
}

KIND_NAMES: dict[Kind, str] = {
    Kind.NEWS: "новина",
    Kind.ANNOUNCEMENT: "оголошення",
    Kind.PRESS_RELEASE: "пресреліз",
    Kind.EXPLAINER: "роз’яснення",
    Kind.REGULATORY_ACT: "нормативно-правовий акт",
    Kind.EVENT: "анонс події",
    Kind.PHOTO_REPORT: "фоторепортаж",
    Kind.VIDEO: "відеосюжет",
    Kind.BROADCAST: "прямий ефір",
    Kind.INTERVIEW: "інтерв’ю",
}

TOPIC_NAMES: dict[Topic, str] = {
    Topic.TRANSPORT: "транспорт",
    Topic.TARIFFS: "тарифи",
    Topic.MEDICINE: "медицина",
    Topic.EDUCATION: "освіта",
    Topic.HOUSING: "житлово-комунальні послуги",
    Topic.SUBSIDIES: "житлові субсидії",
    Topic.OSBB: "ОСББ",
    Topic.LANDSCAPING: "благоустрій",
    Topic.COURTYARDS: "прибудинкові території",
    Topic.HOUSE_REPAIR: "ремонт житлових будинків",
    Topic.URBAN_PLANNING: "містобудівна документація",
    Topic.PUBLIC_DISCUSSION: "громадські обговорення",
    Topic.OTHER: "інше",
}

BODY_NAMES: dict[Body, str] = {
    Body.CITY_COUNCIL: "міська рада",
    Body.EXECUTIVE_COMMITTEE: "виконавчий комітет",
    Body.DEPUTIES: "депутатський корпус",
    Body.EXECUTIVE_BODIES: "виконавчі органи",
}

URGENCY_NAMES: dict[Urgency, str] = {
    Urgency.ROUTINE: "звичайна",
    Urgency.URGENT: "терміново",
    Urgency.EMERGENCY: "надзвичайна подія",
}

SECTION_NAMES: dict[Section, str] = {
    Section.OPERATIONAL: "Оперативна інформація",
    Section.ANNOUNCEMENTS: "Оголошення",
}
