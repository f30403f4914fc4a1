"""The links by which editors answer: whoever holds one may answer for that issue, at any time."""

from itsdangerous import BadData, URLSafeSerializer
from pydantic import SecretStr


class Links:
    """Signs and reads them.

    https://itsdangerous.palletsprojects.com/en/stable/url_safe/
    """

    def __init__(self, secret: SecretStr) -> None:
        self._serializer = URLSafeSerializer(secret.get_secret_value(), salt="newspaper.issue")

    def token(self, issue: str) -> str:
        return str(self._serializer.dumps(issue))

    def read(self, token: str) -> str | None:
        """The issue's id; None where it was not signed here."""
        try:
            return str(self._serializer.loads(token))
        except BadData:
            return None
