"""Runs coroutine tests, starts the emulator, and sets the umask, because the readers refuse files that others can
write."""

import asyncio
import inspect
import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import temporalio.converter

os.umask(0o022)

# temporalio before 1.24 has no external storage.
collect_ignore = [] if hasattr(temporalio.converter, "StorageDriver") else ["test_ciphertext_only.py"]

KEY = "projects/p/locations/global/keyRings/r/cryptoKeys/pay"
CLI = Path(__file__).parents[3] / "packages/kms-emulator/src/cli.ts"


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Runs each coroutine test in a new event loop."""
    if not inspect.iscoroutinefunction(pyfuncitem.obj):
        return None
    names = pyfuncitem._fixtureinfo.argnames
    asyncio.run(pyfuncitem.obj(**{name: pyfuncitem.funcargs[name] for name in names}))
    return True


@pytest.fixture(scope="session")
def emulator() -> Iterator[str]:
    """Starts a Cloud KMS emulator with one crypto key, and returns its ``host:port``. Needs Node 24."""
    options = ["--port", "0", "--control-port", "0", "--key", KEY]
    with subprocess.Popen(["node", CLI, *options], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        address = re.search(r"gRPC ([^,]+)", process.stdout.readline())
        assert address
        yield address[1]
        process.terminate()
