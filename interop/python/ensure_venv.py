"""Creates a virtual environment with the packages of requirements.txt, once: ``python3 ensure_venv.py FOLDER``.

Prints the path of the environment's Python. Concurrent runs wait for each other. A run that is interrupted leaves no
lock and no complete environment, because its lock ends with the process and it writes the stamp last.
"""

import fcntl
import hashlib
import subprocess
import sys
import venv
from pathlib import Path

REQUIREMENTS = Path(__file__).with_name("requirements.txt")


def main(folder: Path) -> None:
    if sys.version_info < (3, 10):  # noqa: UP036 -- any python3 on the PATH runs this file
        sys.exit(f"This is Python {sys.version.split()[0]}; install Python 3.10 or later")
    folder.parent.mkdir(parents=True, exist_ok=True)
    python, stamp = folder / "bin" / "python", folder / "requirements.sha256"
    wanted = hashlib.sha256(REQUIREMENTS.read_bytes() + sys.version.encode()).hexdigest()
    with folder.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (stamp.exists() and stamp.read_text() == wanted):
            print("Installing the packages of interop/python from PyPI (60 MB)…", file=sys.stderr, flush=True)
            venv.EnvBuilder(with_pip=True, clear=True).create(folder)
            pip = [python, "-m", "pip", "--quiet", "--disable-pip-version-check", "install"]
            subprocess.run([*pip, "--only-binary=:all:", "--require-hashes", "-r", REQUIREMENTS], check=True)
            stamp.write_text(wanted)
    print(python)


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve())
