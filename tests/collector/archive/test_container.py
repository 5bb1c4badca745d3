"""A stored file holds exactly the bytes it was given, in every form, whatever was cut off on the way."""

from __future__ import annotations

import contextlib
import io
import os
import resource
import struct
import subprocess
import sys
from io import FileIO
from pathlib import Path

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from hayrick_collector.archive import container, zstdframes
from hayrick_collector.archive.container import Form, truncated
from hayrick_collector.archive.keyring import KeyRing, add_key
from hayrick_collector.archive.reader import FrameFile, ZstdFile, open_file
from hayrick_common.errors import ArchiveError, KeyFileError

FORMS = ("plain", "zstd", "sealed", "sealed-uncompressed")
BLOCKS = st.lists(
    st.one_of(
        st.binary(min_size=1, max_size=3000),
        st.builds(bytes.__mul__, st.binary(min_size=1, max_size=9), st.integers(1, 9000)),
    ),
    max_size=6,
)


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> KeyRing:
    path = tmp_path_factory.mktemp("keys") / "archive.keys"
    add_key(path)
    return KeyRing(path)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One folder for all examples of a property."""
    return tmp_path_factory.mktemp("stored")


def form_of(name: str, keys: KeyRing) -> Form:
    level = 0 if name in ("plain", "sealed-uncompressed") else 3
    return Form(level, keys if name.startswith("sealed") else None)


def store(path: Path, form: Form, blocks: list[bytes]) -> None:
    """Each block as a frame; every other one as a zstd frame that somebody else made."""
    other = zstandard.ZstdCompressor(1, write_checksum=True)
    with truncated(path) as file:
        writer = form.writer(file)
        writer.resume(lambda data: None, 0)
        for number, block in enumerate(blocks):
            writer.append(block, other.compress(block) if number % 2 else None)
        writer.finish()


def go_on(path: Path, form: Form, whole: bytes, size: int) -> bytes:
    """Take up what is in `path` and write the rest in blocks of `size`; what was there, as it was handed out."""
    with FileIO(os.open(path, os.O_RDWR), "r+b") as file:
        writer = form.writer(file)
        kept = bytearray()
        writer.resume(kept.extend, len(whole))
        assert writer.offset == len(kept)
        for start in range(writer.offset, len(whole), size):
            writer.append(whole[start : start + size])
        writer.finish()
    return bytes(kept)


@pytest.mark.parametrize("name", FORMS)
def test_what_is_read_is_what_was_stored(name: str, keys: KeyRing, folder: Path) -> None:
    @settings(deadline=None, max_examples=40)
    @given(BLOCKS, st.lists(st.tuples(st.integers(0, 40_000), st.integers(-1, 20_000)), max_size=5))
    def prove(blocks: list[bytes], reads: list[tuple[int, int]]) -> None:
        form = form_of(name, keys)
        path, whole = folder / f"{name}{form.suffix}", io.BytesIO(b"".join(blocks))
        store(path, form, blocks)
        with open_file(path, keys) as file:
            assert file.read() == whole.getvalue()
            for place, size in reads:
                assert file.seek(place) == whole.seek(place)
                assert file.read(size) == whole.read(size)
                assert file.tell() == whole.tell()
            assert file.seek(0, os.SEEK_END) == len(whole.getvalue())
            buffer = bytearray(100)
            file.seek(0)
            assert file.readinto(buffer) == min(100, len(whole.getvalue()))  # type: ignore[attr-defined]
            assert whole.getvalue().startswith(bytes(buffer[: len(whole.getvalue())]))

    prove()


@pytest.mark.parametrize("name", FORMS)
def test_a_file_cut_at_any_byte_goes_on_to_the_same_bytes(name: str, keys: KeyRing, folder: Path) -> None:
    @settings(deadline=None, max_examples=60)
    @given(BLOCKS, st.data(), st.integers(1, 20_000), st.binary(max_size=60))
    def prove(blocks: list[bytes], data: st.DataObject, size: int, rubbish: bytes) -> None:
        form, whole = form_of(name, keys), b"".join(blocks)
        path = folder / f"cut{form.suffix}"
        store(path, form, blocks)
        cut = data.draw(st.integers(0, path.stat().st_size))
        torn = path.read_bytes()[:cut] + (rubbish if form.suffix else b"")  # what a crash may leave behind the cut
        path.write_bytes(torn)
        assert whole.startswith(go_on(path, form, whole, size))
        with open_file(path, keys) as file:
            assert file.read() == whole

    prove()


def test_what_was_whole_before_the_cut_is_kept(keys: KeyRing, tmp_path: Path) -> None:
    blocks = [os.urandom(5000) for _ in range(8)]
    for name in FORMS[1:]:
        form = form_of(name, keys)
        path = tmp_path / f"kept{form.suffix}"
        store(path, form, blocks)
        path.write_bytes(path.read_bytes()[: 6 * 5000])
        assert go_on(path, form, b"".join(blocks), 5000) == b"".join(blocks[:5])


def test_zstd_itself_undoes_a_stored_file(tmp_path: Path) -> None:
    blocks = [b"packets " * 9000, os.urandom(70_000), b"x"]
    store(tmp_path / "a.pcap.zst", Form(), blocks)
    done = subprocess.run(["zstd", "-dc", tmp_path / "a.pcap.zst"], capture_output=True, check=True, timeout=30)
    assert done.stdout == b"".join(blocks)
    told = subprocess.run(["zstd", "-lv", tmp_path / "a.pcap.zst"], capture_output=True, text=True, check=True)
    assert "Skippable Frames: 1" in told.stdout


def test_a_frame_that_came_with_the_block_is_stored_as_it_is_and_a_wrong_one_is_not(tmp_path: Path) -> None:
    block = b"packets " * 5000
    given, path = zstandard.compress(block, 19), tmp_path / "a.zst"
    wrong = (given + given, given + b"\0", given[:-1], zstandard.compress(b"other"), b"", b"no frame at all")
    for frame in (given, *wrong):
        with truncated(path) as file:
            writer = Form().writer(file)
            writer.append(b"first")
            writer.append(block, frame)
            writer.finish()
        assert (given in path.read_bytes()) == (frame is given)
        with open_file(path) as stored:
            assert stored.read() == b"first" + block


def test_only_the_frames_touched_are_undone(keys: KeyRing, tmp_path: Path) -> None:
    blocks = [bytes([number]) * 50_000 for number in range(40)]
    for form in (Form(), Form(3, keys)):
        path = tmp_path / f"many{form.suffix}"
        store(path, form, blocks)
        with open_file(path, keys) as file:
            assert isinstance(file, FrameFile)
            for _ in range(3):
                for place in (1_000_010, 1_000_900, 1_049_990):
                    file.seek(place)
                    assert len(file.read(20)) == 20
            assert file.undone == 2


def test_a_hostile_seek_table_is_refused_and_costs_nothing(tmp_path: Path) -> None:
    path = tmp_path / "a.zst"
    frame = zstandard.compress(b"x" * 100)

    def table(entries: list[tuple[int, int]], count: int | None = None, size: int | None = None) -> bytes:
        packed = b"".join(struct.pack("<II", *each) for each in entries)
        body = packed + struct.pack("<IBI", len(entries) if count is None else count, 0, 0x8F92EAB1)
        return struct.pack("<II", 0x184D2A5E, len(body) if size is None else size) + body

    big = 0xFFFFFFFF
    hostile = [
        table([(len(frame), big)]), table([(big, 100)]), table([(len(frame), 100)], count=big),
        table([(len(frame), 100)] * 2), table([(len(frame), 100)], size=big), table([(len(frame), 100)], size=3),
        table([]), b"", b"\xb1\xea\x92\x8f", table([(len(frame), 100)])[:-1], table([(len(frame), 99)]),
        table([(len(frame) - 1, 100), (1, 1)]), table([(0, 0), (len(frame), 100), (0, 5)]),
    ]  # fmt: skip
    for each in hostile:
        path.write_bytes(frame + each)
        with pytest.raises(ArchiveError, match=str(path)), open_file(path) as file:
            file.read()
    path.write_bytes(frame + table([(len(frame), 100)]))
    with open_file(path) as file:
        assert file.read() == b"x" * 100


@settings(deadline=None, max_examples=200)
@given(st.binary(max_size=200), st.integers(0, 1 << 40))
def test_any_bytes_are_a_table_or_a_clear_refusal(data: bytes, size: int) -> None:
    with contextlib.suppress(ValueError):
        assert (zstdframes.frame_length(zstdframes.MAGIC + data) or 0) <= len(data) + 4
    with contextlib.suppress(ValueError):
        assert zstdframes.plain_length(zstdframes.MAGIC + data) <= zstdframes.LARGEST_FRAME
    with contextlib.suppress(ValueError):
        assert sum(stored for stored, _ in zstdframes.read_table(data, size)) <= size


def test_a_flipped_bit_never_gives_other_bytes(tmp_path: Path) -> None:
    path, right = tmp_path / "a.zst", b"packets " * 300 + os.urandom(300)
    with truncated(path) as file:
        writer = Form().writer(file)
        writer.append(right[:2400])
        writer.append(right[2400:])
        writer.finish()
    whole, refused = path.read_bytes(), 0
    for place in range(len(whole)):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1 << place % 8]) + whole[place + 1 :])
        try:
            with open_file(path) as stored:
                assert stored.read() == right
        except ArchiveError:
            refused += 1
    assert refused > 0.9 * len(whole)  # zstd leaves a few bits of a frame's header without a meaning


def test_a_flipped_byte_anywhere_in_a_sealed_file_is_refused_with_its_place(keys: KeyRing, tmp_path: Path) -> None:
    path = tmp_path / "a.enc"
    store(path, Form(3, keys), [b"packets " * 30, os.urandom(60), b"z"])
    whole = path.read_bytes()
    for place in range(len(whole)):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1 << place % 8]) + whole[place + 1 :])
        with pytest.raises((ArchiveError, KeyFileError), match=str(path)) as caught, open_file(path, keys) as file:
            file.read()
        assert "byte" in str(caught.value), (place, str(caught.value))


def test_sealed_frames_cannot_be_swapped_repeated_left_out_or_taken_elsewhere(keys: KeyRing, tmp_path: Path) -> None:
    blocks = [bytes([number]) * 100 for number in range(4)]
    form, path, other = Form(0, keys), tmp_path / "a.enc", tmp_path / "b.enc"
    store(path, form, blocks)
    store(other, form, blocks)
    whole, foreign = path.read_bytes(), other.read_bytes()
    head, size = 56, 21 + 100 + 16
    frames = [whole[head + n * size : head + (n + 1) * size] for n in range(4)]
    rest = whole[head + 4 * size :]
    theirs = foreign[head : head + size]
    forged = {
        "swapped": [frames[1], frames[0], *frames[2:]],
        "repeated": [frames[0], frames[0], *frames[2:]],
        "left out": frames[:3],
        "of another file": [theirs, *frames[1:]],
    }
    for what, each in forged.items():
        path.write_bytes(whole[:head] + b"".join(each) + rest)
        with pytest.raises(ArchiveError), open_file(path, keys) as file:
            pytest.fail(f"{what}: {len(file.read())} bytes")
    for cut in (head + 2 * size, len(whole) - 1, head, 3, 0):
        path.write_bytes(whole[:cut])
        with pytest.raises(ArchiveError), open_file(path, keys) as file:
            file.read()
    path.write_bytes(whole[:head] + b"".join(frames[:3]) + foreign[head + 4 * size :])
    with pytest.raises(ArchiveError), open_file(path, keys) as file:
        file.read()


def test_nothing_of_the_packets_is_in_a_sealed_file(keys: KeyRing, tmp_path: Path) -> None:
    for level in (0, 3):
        store(tmp_path / "a.enc", Form(level, keys), [b"a needle in the hay " * 3, os.urandom(40)])
        assert b"needle" not in (tmp_path / "a.enc").read_bytes()


def test_a_missing_key_is_named(keys: KeyRing, tmp_path: Path) -> None:
    path, others = tmp_path / "a.enc", tmp_path / "others"
    store(path, Form(3, keys), [b"x"])
    add_key(others)
    (name,) = keys.names()
    with pytest.raises(KeyFileError, match=f"{path} is sealed with the key {name}.*not in {others}"):
        open_file(path, KeyRing(others))
    with pytest.raises(KeyFileError, match=rf"{name}, and archive\.key_file names no key file"):
        open_file(path)


def test_the_newest_key_seals_and_all_open(tmp_path: Path) -> None:
    path = tmp_path / "keys"
    ring = KeyRing(path)
    first = add_key(path)
    store(tmp_path / "a.enc", Form(3, ring), [b"old"])
    second = add_key(path)
    store(tmp_path / "b.enc", Form(3, ring), [b"new"])
    assert ring.names() == [first, second]
    assert second.encode() in (tmp_path / "b.enc").read_bytes()[:24]
    for name, text in (("a.enc", b"old"), ("b.enc", b"new")):
        with open_file(tmp_path / name, ring) as file:
            assert file.read() == text


@pytest.mark.parametrize("text", ["", "k1 abc\n", f"k1 {'0' * 64}\nk1 {'1' * 64}\n", f"a/b {'0' * 64}\n", "\xff\n"])
def test_a_malformed_key_file_is_refused(text: str, tmp_path: Path) -> None:
    path = tmp_path / "keys"
    path.write_text(text)
    path.chmod(0o600)
    with pytest.raises(KeyFileError, match=str(path)):
        KeyRing(path).newest()


def test_a_key_file_that_others_may_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "keys"
    add_key(path)
    assert path.stat().st_mode & 0o777 == 0o600
    KeyRing(path).newest()
    path.chmod(0o640)
    with pytest.raises(KeyFileError, match="chmod 600"):
        KeyRing(path).newest()
    with pytest.raises(KeyFileError, match="chmod 600"):
        add_key(path)


FULL = """
import os, resource, signal, sys
from pathlib import Path
from hayrick_collector.archive.container import Form, truncated
from hayrick_collector.archive.keyring import KeyRing
from hayrick_collector.archive.reader import open_file

keys = KeyRing(Path(sys.argv[2]))
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
for form in (Form(0), Form(3), Form(3, keys)):
    path = Path(sys.argv[1]) / f"full{form.suffix}"
    with truncated(path) as file:
        writer = form.writer(file)
        writer.resume(lambda data: None, 0)
        blocks = [os.urandom(20_000) for _ in range(10)]
        resource.setrlimit(resource.RLIMIT_FSIZE, (90_000, resource.RLIM_INFINITY))
        refused = 0
        for block in blocks[:6]:
            try:
                writer.append(block)
            except OSError:
                refused += 1
        size = path.stat().st_size
        assert writer.offset == 80_000 and refused == 2 and 80_000 <= size < 80_400, (writer.offset, refused, size)
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        for block in blocks[4:]:
            writer.append(block)
        writer.finish()
    assert open_file(path, keys).read() == b"".join(blocks)
print("went on")
"""


def test_a_full_disk_leaves_the_whole_frames_and_the_writer_goes_on(keys: KeyRing, tmp_path: Path) -> None:
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[1] == resource.RLIM_INFINITY
    done = subprocess.run(
        [sys.executable, "-c", FULL, tmp_path, keys.path], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.stdout, done.stderr) == ("went on\n", "")


def test_a_stream_is_cut_into_frames(tmp_path: Path) -> None:
    path, whole = tmp_path / "a.zst", os.urandom(container.FRAME_BYTES * 2 + 5)
    with truncated(path) as file:
        writer = Form().writer(file)
        for start in range(0, len(whole), 70_001):
            writer.write(whole[start : start + 70_001])
        writer.finish()
    with ZstdFile(path) as stored:
        assert stored.read() == whole
        assert stored.undone == 3
