"""A connection to the city's mail server, as the settings describe it."""

import socket

from aiosmtplib import SMTP, SMTPHeloError

from shared.settings import MailSettings


async def connect(settings: MailSettings) -> SMTP:
    """Connected, greeted, logged in where a user is set.

    Raises `SMTPException`, `OSError` or `ValueError`; nothing is left open then.
    """
    login = settings.smtp_user or None
    client = SMTP(
        hostname=settings.smtp_host,
        port=settings.smtp_port,
        username=login,
        password=settings.smtp_password.get_secret_value() if login else None,
        use_tls=settings.smtp_tls,
        start_tls=settings.smtp_starttls,
        timeout=settings.smtp_timeout,
        local_hostname=socket.gethostname(),
    )
    try:
        await client.connect()
        await _greet(client)
    except BaseException:
        client.close()
        raise
    return client


async def _greet(client: SMTP) -> None:
    """Say EHLO, or HELO where that isn't known, unless TLS or the login needed it before."""
    if not client.is_ehlo_or_helo_needed:
        return
    try:
        await client.ehlo()
    except SMTPHeloError:
        await client.helo()
