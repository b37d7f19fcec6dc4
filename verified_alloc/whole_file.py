"""Writing a file so that it is there whole, or as it was before, whatever happens meanwhile."""

import os
from pathlib import Path


def write(path: Path, text: str) -> None:
    """On disk when this returns; OSError if it cannot be written, and what was there stays."""
    beside = path.with_name(path.name + ".new")
    with beside.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
