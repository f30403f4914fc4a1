"""What is used is kept, what nobody used goes, and what crashes left behind is cleaned up."""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from services.ingest.media.description import Description
from services.ingest.media.records import REMOVAL, Verdict, digest
from shared.events import now
from shared.media import MediaStore
from shared.mongo import StoreUnavailable
from tests.media import pdf, photograph
from tests.samples import TRANSPORT, submission
from tests.services.ingest.conftest import Running, accepted, problem
from tests.services.ingest.test_media import ALT, taken
from tests.waiting import eventually


async def remove_unused(desk: Running, *, after: timedelta = timedelta(days=31)) -> None:
    """Do what is done when this much time has gone by."""
    await desk.ingest.upkeep.remove_unused(before=now() + after - timedelta(days=30))


async def stored(desk: Running) -> int:
    """Files in the store, renditions too."""
    return await desk.ingest.media_store.mongo.database["files.files"].count_documents({})


async def made(desk: Running) -> None:
    """Wait until no renditions wait."""

    async def none_waits() -> bool:
        return await desk.ingest.media.waiting() == 0

    await eventually(none_waits)


async def test_what_nobody_used_is_removed_with_all_that_was_made_of_it(desk: Running) -> None:
    media = await taken(desk, photograph(600, 400), alt=ALT)
    await made(desk)
    assert await stored(desk) == 5
    await remove_unused(desk, after=timedelta(days=29))
    assert await stored(desk) == 5
    await remove_unused(desk)
    assert await stored(desk) == 0
    chunks = desk.ingest.media_store.mongo.database["files.chunks"]
    assert await chunks.count_documents({}) == 0
    problem(await desk.client.get(f"/v1/media/{media.id}"), 404)
    answer = await desk.client.post("/v1/publications", json=submission(media=[str(media.id)]))
    problem(answer, 422)
    again = await taken(desk, photograph(600, 400), alt=ALT)
    assert again.id != media.id
    await made(desk)
    assert await stored(desk) == 5


async def test_what_a_submission_named_is_kept(desk: Running) -> None:
    """Even where a revision left it out since, or the publication was withdrawn."""
    used, left_out = await taken(desk, pdf()), await taken(desk, pdf(2))
    body = await desk.submit(media=[str(used.id), str(left_out.id)])
    accepted(await desk.revise(body["id"], 1, media=[str(used.id)]))
    accepted(await desk.withdraw(body["id"]))
    await remove_unused(desk)
    for media in (used, left_out):
        assert await desk.ingest.media_store.has(media.sha256)
        assert (await desk.client.get(f"/v1/media/{media.id}")).status_code == 200


async def test_a_submission_keeps_its_files_though_nobody_could_say_so(desk: Running) -> None:
    """The process died between the acceptance and the note that the file is used."""
    media = await taken(desk, pdf())
    await desk.submit(media=[str(media.id)])
    await desk.ingest.mongo.database["media"].update_many({}, {"$set": {"kept": False}})
    await remove_unused(desk)
    assert await desk.ingest.media_store.has(media.sha256)


async def test_bytes_stay_as_long_as_one_file_needs_them(desk: Running) -> None:
    used = await taken(desk, photograph(300, 200), alt=ALT)
    unused = await taken(desk, photograph(300, 200), alt="Інші слова")
    await desk.submit(media=[str(used.id)])
    await remove_unused(desk)
    problem(await desk.client.get(f"/v1/media/{unused.id}"), 404)
    assert await desk.ingest.media_store.has(used.sha256)


async def test_an_acceptance_under_way_and_a_removal_never_both_succeed(desk: Running) -> None:
    """Whichever is first: an accepted publication's files are there, and a removed one's are refused."""
    for _ in range(10):
        media = await taken(desk, pdf(), caption="Раз")
        await desk.ingest.mongo.database["media"].update_many(
            {"kept": False}, {"$set": {"seen_at": now() - timedelta(days=60)}}
        )
        answer, _ = await asyncio.gather(
            desk.client.post("/v1/publications", json=submission(media=[str(media.id)])),
            desk.ingest.upkeep.remove_unused(before=now() - timedelta(days=30)),
        )
        if answer.status_code == 202:
            assert (await desk.client.get(f"/v1/media/{media.id}")).status_code == 200
        else:
            problem(answer, 422)
            problem(await desk.client.get(f"/v1/media/{media.id}"), 404)


async def test_an_upload_and_a_deletion_of_the_same_bytes_leave_them_whole(desk: Running) -> None:
    content = pdf()
    for number in range(10):
        await taken(desk, content, caption=f"{number}")
        again, _ = await asyncio.gather(
            taken(desk, content, caption=f"{number} знову"), remove_unused(desk, after=timedelta(days=30))
        )
        answer = await desk.client.get(f"/v1/media/{again.id}")
        if answer.status_code == 200:
            assert await desk.ingest.media_store.read(again.sha256) == content
        await remove_unused(desk)
        assert await stored(desk) == 0


async def test_a_deletion_that_was_cut_off_is_carried_on(desk: Running) -> None:
    media = await taken(desk, pdf())
    records = desk.ingest.media
    [(id, sha256)] = await records.unused_since(now() + timedelta(days=1))
    assert (id, sha256) == (media.id, media.sha256)
    assert await records.may_delete(sha256) is Verdict.DELETE
    # Here the process died. Another one finds both, once the time of the first is over.
    assert await records.may_delete(sha256) is Verdict.BUSY
    await desk.ingest.mongo.database["removals"].update_many({}, {"$set": {"until": now() - REMOVAL}})
    await desk.ingest.upkeep.clean()
    assert await stored(desk) == 0
    assert await records.dead_removals() == []
    await remove_unused(desk)
    assert await desk.ingest.mongo.database["media"].count_documents({}) == 0


async def test_an_upload_that_was_cut_off_while_storing_is_taken_up_again(desk: Running) -> None:
    """Announced, but its bytes never came: invisible, and the same upload again makes it whole."""
    content = pdf()
    description = Description(name="IMG_0001.JPG")
    source = hashlib.sha256(content).hexdigest()
    id = await desk.ingest.media.begin(TRANSPORT.id, digest(source, description), source)
    problem(await desk.client.get(f"/v1/media/{id}"), 404)
    media = await taken(desk, content)
    assert media.id == id


@pytest.fixture
async def store(mongo_url: str, clean_databases: None) -> AsyncIterator[MediaStore]:
    """An empty store."""
    store = MediaStore(mongo_url)
    await store.prepare()
    yield store
    store.close()


async def blocks(*contents: bytes) -> AsyncIterator[bytes]:
    for content in contents:
        yield content


async def counts(store: MediaStore) -> tuple[int, int, int]:
    """Files, chunks, and writes under way."""
    names = ("files.files", "files.chunks", "writing")
    files, chunks, writing = [await store.mongo.database[name].count_documents({}) for name in names]
    return files, chunks, writing


async def test_writers_of_the_same_bytes_at_once_leave_one_file(store: MediaStore) -> None:
    await asyncio.gather(*(store.write("a" * 64, blocks(b"x" * 2_000_000)) for _ in range(8)))
    assert await counts(store) == (1, 2, 0)
    assert await store.read("a" * 64) == b"x" * 2_000_000


async def test_a_write_that_breaks_leaves_nothing(store: MediaStore) -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield b"x" * 3_000_000
        raise OSError("gone")

    with pytest.raises(OSError, match="gone"):
        await store.write("a" * 64, broken())
    assert not await store.has("a" * 64)
    files, chunks, _ = await counts(store)
    assert (files, chunks) == (0, 0)


async def test_what_a_killed_writer_left_is_swept_but_no_living_one(store: MediaStore) -> None:
    """And a writer that is taken for dead while it lives can't make a file without its beginning."""
    going_on = asyncio.Event()

    async def slow() -> AsyncIterator[bytes]:
        yield b"x" * 6_000_000
        await going_on.wait()
        yield b"y"

    writer = asyncio.create_task(store.write("a" * 64, slow()))

    async def begun() -> bool:
        return (await counts(store))[1] > 0

    await eventually(begun)
    assert await store.sweep() == 0
    assert await store.sweep(dead_for=-timedelta(seconds=1)) == 1
    going_on.set()
    with pytest.raises(StoreUnavailable):
        await writer
    assert await counts(store) == (0, 0, 0)
