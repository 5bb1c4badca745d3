"""Uploads that have an id before their bytes come, so that anybody who may can ask how far they are."""

from __future__ import annotations

import secrets
from collections import OrderedDict
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Literal

from hayrick_collector.api.errors import ApiError
from hayrick_collector.desk.people import Person

MOST_UPLOADS = 1_000
MOST_OF_ONE = 100
State = Literal["waiting", "receiving", "received", "failed"]


@dataclass(slots=True)
class Upload:
    """`size` is what the sender said, None if nothing; `key` is the chunk's, once it is durable."""

    id: str
    person: str
    name: str
    tags: tuple[str, ...]
    size: int | None
    state: State = "waiting"
    received: int = 0
    key: str = ""
    error: str = ""


class Uploads:
    """The uploads that were announced to this process; those ended longest ago are forgotten first."""

    def __init__(self, most_bytes: int) -> None:
        self.most_bytes = most_bytes
        self._uploads: OrderedDict[str, Upload] = OrderedDict()

    def announce(self, person: Person, name: str, tags: tuple[str, ...], size: int | None) -> Upload:
        """A new one. Raises ApiError when it is too large, or too many are waiting."""
        self.fits(size)
        mine = [each for each in self._uploads.values() if each.person == person.name and each.state == "waiting"]
        while len(self._uploads) >= MOST_UPLOADS or len(mine) >= MOST_OF_ONE:
            ended = (key for key, each in self._uploads.items() if each.state in ("received", "failed"))
            gone = mine.pop(0).id if len(mine) >= MOST_OF_ONE else next(ended, None)
            if gone is None:
                raise ApiError(429, "too_many", "too many uploads are under way", retry=60)
            del self._uploads[gone]
        made = Upload(secrets.token_urlsafe(12), person.name, name, tags, size)
        self._uploads[made.id] = made
        return made

    def get(self, upload: str, person: Person) -> Upload:
        """One's own. Raises LookupError."""
        found = self._uploads.get(upload)
        if found is None or (found.person != person.name and person.role != "admin"):
            raise LookupError(f"no upload {upload[:50]}: the collector forgets them when it ends")
        return found

    def fits(self, size: int | None) -> None:
        """Raises ApiError when so many bytes are more than are taken."""
        if (size or 0) > self.most_bytes:
            raise ApiError(413, "too_large", f"more than {self.most_bytes} bytes: see api.upload_gigabytes")

    async def counted(self, pieces: AsyncIterator[bytes], upload: Upload | None = None) -> AsyncIterator[bytes]:
        """The bytes as they come, counted; an ApiError when there are too many."""
        received = 0
        async for piece in pieces:
            received += len(piece)
            self.fits(received)
            if upload is not None:
                upload.received = received
            yield piece
