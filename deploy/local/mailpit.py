"""The shapes of the answers of Mailpit's API (version 1)."""

from typing_extensions import TypedDict  # Pydantic reads typing's own only from Python 3.12 on


class MailAddress(TypedDict):
    """One mailbox of an address header."""

    Name: str
    Address: str


class MailSummary(TypedDict):
    """One mail in a list."""

    ID: str
    MessageID: str
    Read: bool
    From: MailAddress
    To: list[MailAddress]
    Cc: list[MailAddress]
    Bcc: list[MailAddress]
    ReplyTo: list[MailAddress]
    Subject: str
    Created: str
    Username: str
    Tags: list[str]
    Size: int
    Attachments: int
    Snippet: str


class Checksums(TypedDict):
    """Of an attachment's decoded content, in hexadecimal."""

    MD5: str
    SHA1: str
    SHA256: str


class Attachment(TypedDict):
    """One part of a mail that isn't its text."""

    PartID: str
    FileName: str
    ContentType: str
    ContentID: str
    Size: int
    Checksums: Checksums


class ListUnsubscribe(TypedDict):
    """The headers by which a mail program offers to unsubscribe."""

    Header: str
    Links: list[str]
    Errors: str
    HeaderPost: str


class Mail(TypedDict):
    """One mail in full, without the attachments' content."""

    ID: str
    MessageID: str
    From: MailAddress
    To: list[MailAddress]
    Cc: list[MailAddress]
    Bcc: list[MailAddress]
    ReplyTo: list[MailAddress]
    ReturnPath: str
    Subject: str
    ListUnsubscribe: ListUnsubscribe
    Date: str
    Tags: list[str]
    Username: str
    Text: str
    HTML: str
    Size: int
    Inline: list[Attachment]
    Attachments: list[Attachment]
