"""Departments and their keys. A key is 256 random bits, kept as a hash: nobody can read it back."""

import hashlib
import secrets
import time
from datetime import datetime
from typing import Literal

from pydantic import BaseModel, Field
from pymongo.errors import DuplicateKeyError

from shared.events import now
from shared.mongo import Database, store_failures
from shared.publication import Department

Unit = Literal["structural_unit", "communal_enterprise"]
REMEMBERED = 5.0
"""Seconds that a verified key is not looked up again, and that a revoked one may still work."""


class UnknownDepartment(LookupError):
    """No department has this id."""


class OtherDepartment(ValueError):
    """The id belongs to a department with another name or kind; the text is that name."""


class Key(BaseModel):
    """A key as operators see it; the secret itself is nowhere."""

    id: str = Field(validation_alias="_id")
    department: str
    label: str
    created_at: datetime
    revoked_at: datetime | None


class Register:
    """The departments, and the keys that they hand in with."""

    def __init__(self, database: Database) -> None:
        self._departments = database["departments"]
        self._keys = database["keys"]
        self._seen: dict[str, tuple[float, Department]] = {}

    async def add_department(self, department: Department, unit: Unit) -> None:
        """Add a department; the same one again changes nothing. Raises `OtherDepartment`."""
        with store_failures():
            try:
                await self._departments.insert_one(
                    {"_id": department.id, "name": department.name, "unit": unit}
                )
            except DuplicateKeyError:
                there = await self._departments.find_one({"_id": department.id})
                if there is not None and (there["name"], there["unit"]) != (department.name, unit):
                    raise OtherDepartment(f"{there['name']} ({there['unit']})") from None

    async def rename_department(self, department: Department) -> None:
        """Give the department with this id this name. Raises `UnknownDepartment`."""
        with store_failures():
            result = await self._departments.update_one(
                {"_id": department.id}, {"$set": {"name": department.name}}
            )
        if result.matched_count == 0:
            raise UnknownDepartment(department.id)

    async def departments(self) -> list[tuple[Department, str]]:
        """All of them, by id, with their kind of unit."""
        with store_failures():
            documents = await self._departments.find().sort("_id").to_list(None)
        return [
            (Department(id=str(document["_id"]), name=str(document["name"])), str(document["unit"]))
            for document in documents
        ]

    async def make_key(self, department: str, label: str) -> str:
        """A new key, shown this once. Raises `UnknownDepartment`."""
        with store_failures():
            if await self._departments.find_one({"_id": department}) is None:
                raise UnknownDepartment(department)
            while True:
                id, secret = secrets.token_hex(4), secrets.token_urlsafe(32)
                key = f"visnyk_{id}_{secret}"
                try:
                    await self._keys.insert_one(
                        {
                            "_id": id,
                            "department": department,
                            "hash": _hash(key),
                            "label": label,
                            "created_at": now(),
                            "revoked_at": None,
                        }
                    )
                except DuplicateKeyError:
                    continue
                return key

    async def keys(self) -> list[Key]:
        """All keys ever made, the newest last."""
        with store_failures():
            documents = await self._keys.find().sort("created_at").to_list(None)
        return [Key.model_validate(document) for document in documents]

    async def revoke(self, id: str) -> bool:
        """Make a key useless, within `REMEMBERED` seconds everywhere; False if there is none with this id."""
        with store_failures():
            result = await self._keys.update_one(
                {"_id": id, "revoked_at": None}, {"$set": {"revoked_at": now()}}
            )
        return result.matched_count == 1

    async def holder(self, key: str) -> Department | None:
        """The department whose key this is, unless it is revoked."""
        hashed = _hash(key)
        seen = self._seen.get(hashed)
        if seen is not None and time.monotonic() - seen[0] < REMEMBERED:
            return seen[1]
        self._seen.pop(hashed, None)
        with store_failures():
            found = await self._keys.find_one({"hash": hashed, "revoked_at": None})
            if found is None:
                return None
            department = await self._departments.find_one({"_id": found["department"]})
        if department is None:
            return None
        holder = Department(id=str(department["_id"]), name=str(department["name"]))
        self._seen[hashed] = time.monotonic(), holder
        return holder

    async def prepare(self) -> None:
        """Make the index that keys are looked up by."""
        with store_failures():
            await self._keys.create_index("hash", unique=True)


def _hash(key: str) -> str:
    """SHA-256 is enough: the key is random, not a password that could be guessed from a list."""
    return hashlib.sha256(key.encode()).hexdigest()
