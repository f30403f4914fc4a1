"""The mail catcher of the local run: every mail kept, read through Mailpit's API and the page."""

import asyncio
from collections.abc import AsyncIterator
from email.header import Header
from email.message import EmailMessage
from pathlib import Path

import aiosmtplib
import httpx
import pytest

from deploy.local.mailbox import Mailbox
from deploy.local.mailcatcher import listen, make_app
from deploy.local.ports import LOOPBACK, free_port


@pytest.fixture
def mailbox(tmp_path: Path) -> Mailbox:
    return Mailbox(tmp_path / "mail")


@pytest.fixture
async def smtp(mailbox: Mailbox) -> AsyncIterator[aiosmtplib.SMTP]:
    """A connection to the catcher's SMTP port."""
    port = free_port()
    server = await listen(mailbox, LOOPBACK, port)
    async with aiosmtplib.SMTP(hostname=LOOPBACK, port=port) as client:
        yield client
    server.close()


@pytest.fixture
async def page(mailbox: Mailbox) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(make_app(mailbox))
    async with httpx.AsyncClient(transport=transport, base_url="http://mail.example") as client:
        yield client


def mail(
    subject: str = "Зміни в русі тролейбусів", *, to: str = "Редакція <news@outlet.example>"
) -> EmailMessage:
    message = EmailMessage()
    message["From"] = "Пресслужба <press@city.example>"
    message["To"] = to
    message["Subject"] = subject
    message["Message-ID"] = "<42.1@visnyk.example>"
    message["Date"] = "Sun, 22 Nov 2026 10:00:00 +0200"
    message["List-Unsubscribe"] = "<https://city.example/unsubscribe/abc>"
    message["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    message.set_content("Завтра тролейбус № 5 їде іншим маршрутом.\n")
    message.add_alternative("<p>Завтра <b>тролейбус № 5</b> їде іншим маршрутом.</p>\n", subtype="html")
    return message


async def test_a_mail_is_listed_as_mailpit_lists_it(smtp: aiosmtplib.SMTP, page: httpx.AsyncClient) -> None:
    """All fields of the list that Mailpit documents, with a recipient who is only in the envelope as Bcc."""
    await smtp.send_message(mail(), recipients=["news@outlet.example", "editor@outlet.example"])
    answer = (await page.get("/api/v1/messages")).json()
    (listed,) = answer.pop("messages")
    assert answer == {"total": 1, "unread": 1, "count": 1, "messages_count": 1, "start": 0, "tags": []}
    assert len(listed.pop("ID")) > 20
    assert listed.pop("Created").endswith("+00:00")
    assert listed.pop("Size") > 500
    assert listed == {
        "MessageID": "42.1@visnyk.example",
        "Read": False,
        "From": {"Name": "Пресслужба", "Address": "press@city.example"},
        "To": [{"Name": "Редакція", "Address": "news@outlet.example"}],
        "Cc": [],
        "Bcc": [{"Name": "", "Address": "editor@outlet.example"}],
        "ReplyTo": [],
        "Subject": "Зміни в русі тролейбусів",
        "Username": "",
        "Tags": [],
        "Attachments": 0,
        "Snippet": "Завтра тролейбус № 5 їде іншим маршрутом.",
    }


async def test_a_mail_is_opened_in_full_and_counts_as_read(
    smtp: aiosmtplib.SMTP, page: httpx.AsyncClient
) -> None:
    await smtp.send_message(mail(), sender="bounces+7@city.example")
    opened = (await page.get("/api/v1/message/latest")).json()
    assert opened["HTML"] == "<p>Завтра <b>тролейбус № 5</b> їде іншим маршрутом.</p>\n"
    assert opened["Text"] == "Завтра тролейбус № 5 їде іншим маршрутом.\n"
    assert opened["ReturnPath"] == "bounces+7@city.example"
    assert opened["Date"] == "2026-11-22T10:00:00+02:00"
    assert opened["ListUnsubscribe"]["Links"] == ["https://city.example/unsubscribe/abc"]
    assert opened["ListUnsubscribe"]["HeaderPost"] == "List-Unsubscribe=One-Click"
    assert (await page.get("/api/v1/messages")).json()["unread"] == 0


async def test_headers_and_source_are_those_received(smtp: aiosmtplib.SMTP, page: httpx.AsyncClient) -> None:
    await smtp.send_message(mail())
    headers = (await page.get("/api/v1/message/latest/headers")).json()
    assert headers["List-Unsubscribe-Post"] == ["List-Unsubscribe=One-Click"]
    assert headers["Delivered-To"] == ["news@outlet.example"]
    raw = await page.get("/api/v1/message/latest/raw")
    assert raw.headers["content-type"].startswith("text/plain")
    assert b"Message-ID: <42.1@visnyk.example>\r\n" in raw.content


async def test_attachments_are_listed_and_handed_out(smtp: aiosmtplib.SMTP, page: httpx.AsyncClient) -> None:
    message = mail()
    message.add_attachment(b"BEGIN:VCALENDAR", maintype="text", subtype="calendar", filename="подія.ics")
    await smtp.send_message(message)
    opened = (await page.get("/api/v1/message/latest")).json()
    (attachment,) = opened["Attachments"]
    assert (attachment["FileName"], attachment["ContentType"], attachment["Size"]) == (
        "подія.ics",
        "text/calendar",
        15,
    )
    part = await page.get(f"/api/v1/message/{opened['ID']}/part/{attachment['PartID']}")
    assert part.content == b"BEGIN:VCALENDAR"
    assert part.headers["content-security-policy"] == "sandbox"


async def test_newest_first_in_pages(smtp: aiosmtplib.SMTP, page: httpx.AsyncClient) -> None:
    for number in range(5):
        await smtp.send_message(mail(f"Лист {number}"))
    answer = (await page.get("/api/v1/messages", params={"start": 1, "limit": 2})).json()
    assert [each["Subject"] for each in answer["messages"]] == ["Лист 3", "Лист 2"]
    assert (answer["total"], answer["start"]) == (5, 1)


async def test_mails_survive_a_restart_in_order(smtp: aiosmtplib.SMTP, mailbox: Mailbox) -> None:
    """A new catcher on the same folder has the same mails, under the same ids."""
    await asyncio.gather(smtp.send_message(mail("Перший")), smtp.send_message(mail("Другий")))
    assert list(Mailbox(mailbox.folder).newest()) == list(mailbox.newest())
    assert len(mailbox) == 2


async def test_mails_are_deleted_by_id_and_altogether(
    smtp: aiosmtplib.SMTP, page: httpx.AsyncClient, mailbox: Mailbox
) -> None:
    for number in range(3):
        await smtp.send_message(mail(f"Лист {number}"))
    newest = (await page.get("/api/v1/message/latest")).json()["ID"]
    await page.request("DELETE", "/api/v1/messages", json={"IDs": [newest]})
    assert [each["Subject"] for each in mailbox.newest()] == ["Лист 1", "Лист 0"]
    await page.delete("/api/v1/messages")
    assert (await page.get("/api/v1/messages")).json()["messages"] == []
    assert list(mailbox.folder.iterdir()) == []


async def test_what_is_not_there_is_not_found(page: httpx.AsyncClient) -> None:
    for path in ("/api/v1/message/latest", "/api/v1/message/x/raw", "/mails/x", "/mails/..%2f..%2fetc/html"):
        assert (await page.get(path)).status_code == 404


async def test_the_page_lists_finds_and_shows(smtp: aiosmtplib.SMTP, page: httpx.AsyncClient) -> None:
    """In Ukrainian, with what the mail brings escaped, and its HTML locked up in a sandbox."""
    await smtp.send_message(mail())
    await smtp.send_message(mail("<script>alert(1)</script>", to="Радіо <air@radio.example>"))
    listed = (await page.get("/")).text
    assert "<main>" in listed
    assert "2 листи" in listed
    assert "Зміни в русі тролейбусів" in listed
    assert "<script>" not in listed
    found = (await page.get("/", params={"q": "редакція тролейбусів"})).text
    assert "1 лист " in found
    assert "radio.example" not in found
    newest = (await page.get("/api/v1/message/latest")).json()["ID"]
    shown = (await page.get(f"/mails/{newest}")).text
    assert "<script>" not in shown
    assert 'sandbox="allow-popups allow-popups-to-escape-sandbox"' in shown
    body = await page.get(f"/mails/{newest}/html")
    assert body.headers["content-security-policy"].startswith("sandbox allow-popups ")
    assert "<b>тролейбус № 5</b>" in body.text


async def test_a_long_name_is_read_as_it_was_written(page: httpx.AsyncClient, mailbox: Mailbox) -> None:
    """A name that takes two encoded words, folded between them, has no blank where they meet."""
    name = "Пресслужба. Луцька міська рада"
    sender = Header(name, "utf-8", maxlinelen=60).encode() + " <press@city.example>"
    assert "\n" in sender
    mailbox.add("", ["a@outlet.example"], f"From: {sender}\r\n\r\n".encode())
    (listed,) = (await page.get("/api/v1/messages")).json()["messages"]
    assert listed["From"] == {"Name": name, "Address": "press@city.example"}
    headers = (await page.get("/api/v1/message/latest/headers")).json()
    assert headers["From"] == [f"{name} <press@city.example>"]


async def test_a_malformed_mail_is_kept_and_shown(page: httpx.AsyncClient, mailbox: Mailbox) -> None:
    """Neither a bad address, nor an unknown charset, nor no header at all stops the catcher."""
    mailbox.add("", ["a@outlet.example"], b"no header at all")
    mailbox.add("", ["a@outlet.example"], b"From: <<@>\r\nTo: ,,;\r\nDate: soon\r\n\r\n\xff")
    mailbox.add("", ["a@outlet.example"], b"Content-Type: text/plain; charset=klingon\r\n\r\nnuqneH")
    assert (await page.get("/")).status_code == 200
    for each in (await page.get("/api/v1/messages")).json()["messages"]:
        assert (await page.get(f"/mails/{each['ID']}")).status_code == 200
    assert (await page.get("/api/v1/message/latest")).json()["Text"] == "nuqneH"
