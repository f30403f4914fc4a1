"""The links by which a station answers: whoever holds one may say what became of that broadcast."""

from uuid import UUID

from itsdangerous import BadData, URLSafeTimedSerializer
from pydantic import SecretStr


class Links:
    """Signs and reads them.

    https://itsdangerous.palletsprojects.com/en/stable/url_safe/
    """

    def __init__(self, secret: SecretStr, channel: str, *, days: int) -> None:
        self._serializer = URLSafeTimedSerializer(secret.get_secret_value(), salt=f"{channel}.answer")
        self._seconds = days * 86_400

    def token(self, id: UUID) -> str:
        return str(self._serializer.dumps(id.hex))

    def read(self, token: str) -> UUID | None:
        """The publication's id; None where it was not signed here, or too long ago."""
        try:
            return UUID(str(self._serializer.loads(token, max_age=self._seconds)))
        except (BadData, ValueError):
            return None
