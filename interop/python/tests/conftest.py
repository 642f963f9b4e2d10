"""Files that tests write must not be writable by others, whatever the shell's umask is."""

import os

os.umask(0o022)
