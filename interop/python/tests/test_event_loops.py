"""Tests one codec in several event loops, threads and processes, and with cancelled tasks."""

import asyncio
import gc
import multiprocessing
import threading
import weakref
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from fake_kms import FakeKms
from test_codec import RULES, Clock, codec_for, plain

from temporal_kms import CloudKms, KmsCodec
from temporal_kms.data_keys import SOFT_AGE
from temporal_kms.decryption_keys import REVALIDATE
from temporal_kms.header import parse_message


async def until(condition: Callable[[], bool]) -> None:
    async def met() -> None:
        while not condition():
            await asyncio.sleep(0.001)

    await asyncio.wait_for(met(), 20)


def test_threads_with_separate_event_loops_share_a_codec() -> None:
    kms, payloads, barrier = FakeKms(is_held=True), [plain(), plain()], threading.Barrier(4)
    codec = codec_for(kms)

    async def work() -> bool:
        barrier.wait(20)
        encoding = asyncio.ensure_future(codec.encode(payloads))
        await until(lambda: kms.waiting == 4)
        kms.is_held = False
        return await codec.decode(await encoding) == payloads

    with ThreadPoolExecutor(4) as pool:
        assert all([one.result(20) for one in [pool.submit(asyncio.run, work()) for _ in range(4)]])


def test_consecutive_event_loops_use_one_codec(emulator: str) -> None:
    service = CloudKms.connect(emulator)
    codec = KmsCodec(RULES, service, namespace="pay")

    async def work() -> None:
        payloads = [plain()]
        assert await codec.decode(await codec.encode(payloads)) == payloads
        await service.close()

    for _ in range(3):
        asyncio.run(work())


def test_a_codec_keeps_no_keys_of_a_closed_event_loop() -> None:
    codec, keys = codec_for(FakeKms()), weakref.WeakSet()

    async def work() -> None:
        await codec.encode([plain()])
        keys.add(codec._keys.get())

    for _ in range(5):
        asyncio.run(work())
    gc.collect()
    assert len(keys) == 1


async def test_a_codecs_keys_are_released_with_the_codec() -> None:
    codec = codec_for(FakeKms())
    await codec.decode(await codec.encode([plain()]))
    keys = weakref.ref(codec._keys.get())
    del codec
    gc.collect()
    assert keys() is None


def _encode_in_child(codec: KmsCodec, results: Any) -> None:
    [message] = asyncio.run(codec.encode([plain()]))
    results.send(parse_message(message.data).header.salt)


def test_a_forked_process_generates_its_own_salt() -> None:
    codec = codec_for(FakeKms())
    [message] = asyncio.run(codec.encode([plain()]))
    context = multiprocessing.get_context("fork")
    received, sent = context.Pipe()
    child = context.Process(target=_encode_in_child, args=(codec, sent))
    child.start()
    assert received.poll(20)
    assert received.recv() != parse_message(message.data).header.salt
    child.join()


async def test_a_cancelled_caller_does_not_end_the_call_for_other_callers() -> None:
    kms = FakeKms(is_held=True)
    codec, payloads = codec_for(kms), [plain()]
    callers = [asyncio.ensure_future(codec.encode(payloads)) for _ in range(3)]
    await until(lambda: kms.waiting == 1)
    callers[0].cancel()
    await asyncio.wait({callers[0]})
    kms.is_held = False
    assert await codec.decode(await callers[1] + await callers[2]) == payloads * 2
    assert kms.wraps == 1


@pytest.mark.parametrize("age", [REVALIDATE, SOFT_AGE])
@pytest.mark.parametrize("begins", [True, False])
async def test_a_program_that_cancels_all_its_tasks_can_continue_to_use_the_codec(age: float, begins: bool) -> None:
    kms, clock = FakeKms(), Clock()
    codec, payloads = codec_for(kms, clock=clock), [plain()]
    messages = await codec.encode(payloads)
    clock.now += 1
    messages += await codec.encode(payloads)
    clock.now += age
    kms.is_held = True
    codec._keys.get().maintain()
    if begins:
        waiting = kms.waiting
        await until(lambda: kms.waiting > waiting)
    for task in asyncio.all_tasks() - {asyncio.current_task()}:
        task.cancel()
    kms.is_held = False
    again = await asyncio.wait_for(codec.encode(payloads), 20)
    assert await asyncio.wait_for(codec.decode(messages + again), 20) == payloads * 3


async def test_works_with_eager_tasks() -> None:
    factory = getattr(asyncio, "eager_task_factory", None)
    if factory is not None:  # from Python 3.12 on
        asyncio.get_running_loop().set_task_factory(factory)
    kms, clock, payloads = FakeKms(), Clock(), [plain()]
    codec = codec_for(kms, clock=clock)
    for _ in range(40):
        assert await codec.decode(await codec.encode(payloads)) == payloads
        clock.now += SOFT_AGE / 10


async def test_a_closed_service_is_unavailable(emulator: str) -> None:
    service, clock = CloudKms.connect(emulator), Clock()
    codec, payloads = KmsCodec(RULES, service, namespace="pay", clock=clock, other_budget=0), [plain()]
    messages = await codec.encode(payloads)
    await service.close()
    clock.now += SOFT_AGE
    again = await asyncio.wait_for(codec.encode(payloads), 20)
    assert await asyncio.wait_for(codec.decode(messages + again), 20) == payloads * 2
