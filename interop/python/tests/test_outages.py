"""Tests outages in which no server responds, with Google's client and the emulator behind a failing network."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from test_codec import KEY, RULES, Clock, fails, plain

from temporal_kms import CloudKms, KmsCodec, KmsCodecError
from temporal_kms.connection import insecure_client
from temporal_kms.decryption_keys import REVALIDATE

OUTAGE = 30.0
"""Duration of an outage, in seconds. After such a long outage, gRPC without our limits would wait for 10 s or more
before it connects or resolves the name again."""
SOON, LATER = 8.0, 20.0
"""The longest time, in seconds, from an outage's end to the first response: ``SOON`` if the network refused
connections, and ``LATER`` if connections stayed open without data."""


class Network:
    """Forwards connections from a port on loopback to the emulator."""

    def __init__(self, emulator: str) -> None:
        self._emulator = emulator.rsplit(":", 1)
        self._port = 0
        self._writers: set[asyncio.StreamWriter] = set()
        self._dead: set[asyncio.StreamWriter] = set()
        self._is_silent = False

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self._port}"

    async def accept(self) -> None:
        self._server = await asyncio.start_server(self._relay, "127.0.0.1", self._port)
        self._port = self._server.sockets[0].getsockname()[1]

    async def refuse(self) -> None:
        """Refuses new connections, and resets open connections."""
        self._server.close()
        for writer in self._writers:
            writer.transport.abort()
        self._writers.clear()

    async def silence(self) -> None:
        """Accepts connections but forwards no data. Connections that are now open never work again."""
        self._is_silent = True
        self._dead |= self._writers

    async def speak(self) -> None:
        """Forwards data again, but only on new connections."""
        self._is_silent = False

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        if self._is_silent:
            self._dead.add(writer)
        behind_reader, behind = await asyncio.open_connection(*self._emulator)
        self._writers.add(behind)
        await asyncio.gather(self._pass_on(reader, behind, writer), self._pass_on(behind_reader, writer, writer))

    async def _pass_on(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, client: asyncio.StreamWriter
    ) -> None:
        try:
            while content := await reader.read(65_536):
                if client not in self._dead:
                    writer.write(content)
        except ConnectionError:
            pass
        writer.close()


class NameServer(asyncio.DatagramProtocol):
    """Answers queries for an IPv4 address with the loopback address. While failing, answers every query with an
    error."""

    is_failing = True

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def datagram_received(self, query: bytes, address: tuple[str, int]) -> None:
        question = query[12 : query.index(0, 12) + 5]
        is_found = not self.is_failing and question[-4:-2] == b"\x00\x01"
        reply = query[:2] + (b"\x81\x82" if self.is_failing else b"\x81\x80") + b"\x00\x01\x00" + bytes([is_found])
        reply += bytes(4) + question
        if is_found:
            reply += b"\xc0\x0c\x00\x01\x00\x01\x00\x00\x00\x00\x00\x04\x7f\x00\x00\x01"
        self.transport.sendto(reply, address)


class Caller:
    """Calls Cloud KMS repeatedly."""

    def __init__(self, service: CloudKms) -> None:
        self._service = service
        self._answered = 0.0
        self._task = asyncio.ensure_future(self._call())

    async def _call(self) -> None:
        while True:
            began = time.monotonic()
            try:
                await self._service.wrap(KEY, bytes(32), b"")
                self._answered = began
            except KmsCodecError as error:
                assert error.code == "kms_unavailable"
            await asyncio.sleep(0.5)

    async def is_answered_within(self, seconds: float) -> bool:
        """Returns whether Cloud KMS responds within ``seconds`` to a call that begins now or later."""
        began = time.monotonic()
        while self._answered < began and time.monotonic() < began + seconds:
            await asyncio.sleep(0.1)
            if self._task.done():
                self._task.result()
        return self._answered >= began

    async def stop(self) -> None:
        self._task.cancel()
        await asyncio.wait({self._task})
        await self._service.close()


Action = Callable[[], Awaitable[None]]


async def recovers(service: CloudKms, begin: Action, end: Action, limit: float, *, works_before: bool) -> bool:
    """Returns whether Cloud KMS responds within ``limit`` seconds after an outage. Checks that calls really fail during
    the outage."""
    caller = None
    if works_before:
        caller = Caller(service)
        assert await caller.is_answered_within(SOON)
    await begin()
    caller = caller or Caller(service)
    assert not await caller.is_answered_within(OUTAGE)
    await end()
    try:
        return await caller.is_answered_within(limit)
    finally:
        await caller.stop()


async def refused(emulator: str, *, works_before: bool) -> bool:
    network = Network(emulator)
    await network.accept()
    service = CloudKms.connect(network.address)
    return await recovers(service, network.refuse, network.accept, SOON, works_before=works_before)


async def silent(emulator: str, *, works_before: bool) -> bool:
    network = Network(emulator)
    await network.accept()
    service = CloudKms.connect(network.address)
    return await recovers(service, network.silence, network.speak, LATER, works_before=works_before)


async def unresolved(emulator: str) -> bool:
    transport, names = await asyncio.get_running_loop().create_datagram_endpoint(
        NameServer, local_addr=("127.0.0.1", 0)
    )
    server, port = transport.get_extra_info("sockname"), emulator.rsplit(":", 1)[1]
    service = CloudKms(lambda: insecure_client(f"dns://127.0.0.1:{server[1]}/kms.test:{port}"))

    async def begin() -> None:
        names.is_failing = True

    async def end() -> None:
        names.is_failing = False

    return await recovers(service, begin, end, SOON, works_before=False)


OUTAGES: dict[str, Callable[[str], Awaitable[bool]]] = {
    "connections were refused": lambda emulator: refused(emulator, works_before=True),
    "no connection was possible from the start": lambda emulator: refused(emulator, works_before=False),
    "nothing arrived on connections opened before the outage": lambda emulator: silent(emulator, works_before=True),
    "nothing arrived on connections opened during the outage": lambda emulator: silent(emulator, works_before=False),
    "the name could not be resolved": unresolved,
}


@pytest.fixture(scope="module")
def outcomes(emulator: str) -> dict[str, "bool | BaseException"]:
    """Returns each outage's outcome. The outages run concurrently, because they consist mostly of waiting."""

    async def work() -> dict[str, "bool | BaseException"]:
        all_at_once = [happen(emulator) for happen in OUTAGES.values()]
        return dict(zip(OUTAGES, await asyncio.gather(*all_at_once, return_exceptions=True), strict=True))

    return asyncio.run(work())


@pytest.mark.parametrize("name", OUTAGES)
def test_calls_succeed_again_soon_after_an_outage(name: str, outcomes: dict[str, "bool | BaseException"]) -> None:
    outcome = outcomes[name]
    if isinstance(outcome, BaseException):
        raise outcome
    assert outcome


@pytest.mark.parametrize("kind", ["refuse", "silence"])
async def test_a_process_reads_and_writes_during_two_consecutive_outages(emulator: str, kind: str) -> None:
    network, clock = Network(emulator), Clock()
    await network.accept()
    services = [CloudKms.connect(network.address) for _ in range(2)]
    process, other = (KmsCodec(RULES, service, namespace="pay", clock=clock, other_budget=0) for service in services)
    before = await process.encode([plain()])
    await (network.refuse() if kind == "refuse" else network.silence())
    for _ in range(3):
        clock.now += REVALIDATE
        assert await process.decode(before + await process.encode([plain()]))
        await fails("kms_unavailable", other.decode(before))
    await (network.accept() if kind == "refuse" else network.speak())
    patient = KmsCodec(RULES, services[1], namespace="pay", other_budget=LATER)
    assert await patient.decode(before)
    for service in services:
        await service.close()
