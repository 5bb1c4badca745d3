"""A program that reads what is hostile from its standard input, and its answer, bounded and in time."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Mapping, Sequence

from hayrick_common.errors import HayrickError


class ConfinedError(HayrickError):
    """The program took too long, said too much or failed; the message names it."""


async def answer(
    name: str, command: Sequence[str], data: bytes, *, seconds: float, most: int, environment: Mapping[str, str]
) -> bytes:
    """What the program prints that gets `data`, at most `most` bytes. Raises ConfinedError."""
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        *command, stdin=pipe, stdout=pipe, stderr=pipe, env=environment, cwd="/", start_new_session=True
    )
    try:
        async with asyncio.timeout(seconds):
            return await _talk(name, process, data, most)
    except TimeoutError:
        raise ConfinedError(f"{name} took longer than {seconds:g} seconds") from None
    finally:
        if process.returncode is None:
            os.killpg(process.pid, signal.SIGKILL)
            await process.wait()


async def _talk(name: str, process: asyncio.subprocess.Process, data: bytes, most: int) -> bytes:
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stderr is not None
    output, complaint, _ = await asyncio.gather(
        _bounded(process.stdout, most), _bounded(process.stderr, most), _feed(process.stdin, data)
    )
    if len(output) > most:
        raise ConfinedError(f"{name}'s answer is too long")
    if await process.wait() != 0:
        said = complaint[-500:].decode(errors="replace").strip()
        raise ConfinedError(f"{name} failed: {said or process.returncode}")
    return output


async def _bounded(stream: asyncio.StreamReader, most: int) -> bytes:
    found = bytearray()
    while len(found) <= most and (piece := await stream.read(1 << 16)):
        found += piece
    return bytes(found)


async def _feed(stream: asyncio.StreamWriter, data: bytes) -> None:
    try:
        stream.write(data)
        await stream.drain()
        stream.close()
    except (BrokenPipeError, ConnectionResetError):
        return  # it ended early, and its return code says why
