"""Sets the umask, because the readers refuse files that others can write."""

import os

os.umask(0o022)
