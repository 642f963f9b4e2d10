"""Creates a virtual environment once: ``python3 ensure_venv.py FOLDER [--oldest]``.

The environment contains the packages in requirements.txt. With ``--oldest``, the environment contains pytest and
temporal-kms, and the oldest temporalio and google-cloud-kms that pyproject.toml allows. All other dependencies have
their newest versions, because their oldest versions are compiled for only a few versions of Python.

Prints the path of the environment's Python. Concurrent runs wait for each other. An interrupted run leaves no lock
behind, because the lock ends with the process. An incomplete environment never looks complete, because the stamp is
written last.
"""

import fcntl
import hashlib
import re
import subprocess
import sys
import venv
from pathlib import Path

PROJECT = Path(__file__).parent
REQUIREMENTS = PROJECT / "requirements.txt"
PYPROJECT = PROJECT / "pyproject.toml"


def oldest() -> list[str]:
    """Returns requirements that pin temporalio and google-cloud-kms to their lower bounds."""
    bounds = re.findall(r'"(temporalio|google-cloud-kms)>=([\d.]+)', PYPROJECT.read_text())
    return [f"{name}=={version}" for name, version in bounds]


def main(folder: Path, *, use_oldest: bool) -> None:
    if sys.version_info < (3, 10):  # noqa: UP036 -- any python3 on the PATH runs this file
        sys.exit(f"This is Python {sys.version.split()[0]}; install Python 3.10 or later")
    folder.parent.mkdir(parents=True, exist_ok=True)
    python, stamp = folder / "bin" / "python", folder / "requirements.sha256"
    sources = [PYPROJECT, *sorted((PROJECT / "src" / "temporal_kms").iterdir())] if use_oldest else [REQUIREMENTS]
    content = b"".join(path.read_bytes() for path in sources if path.is_file())
    wanted = hashlib.sha256(content + sys.version.encode()).hexdigest()
    with folder.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (stamp.exists() and stamp.read_text() == wanted):
            print("Installing the packages of interop/python from PyPI (60 MB)…", file=sys.stderr, flush=True)
            venv.EnvBuilder(with_pip=True, clear=True).create(folder)
            # Skip the compilation, because Python compiles modules when a test imports them.
            pip = [python, "-m", "pip", "--quiet", "--disable-pip-version-check", "install", "--no-compile"]
            if use_oldest:
                subprocess.run([*pip, f"{PROJECT}[test]", *oldest()], check=True)
            else:
                subprocess.run([*pip, "--only-binary=:all:", "--require-hashes", "-r", REQUIREMENTS], check=True)
            stamp.write_text(wanted)
    print(python)


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve(), use_oldest="--oldest" in sys.argv)
