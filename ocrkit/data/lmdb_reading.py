"""A program of its own: read an LMDB as `ImageSet` does, and print what is wrong with it.

LMDB trusts the file that it maps into memory. A damaged one makes it read where nothing is mapped,
and the system then ends the process (SIGBUS, SIGSEGV): better this one than a notebook.
Run as `python lmdb_reading.py FOLDER`; imports nothing of ocrkit, so that it starts at once.
"""

import os
import sys
from pathlib import Path

import lmdb


def read_through(folder: str) -> str:
    """What is wrong with the records, or ""."""
    size = (Path(folder) / "data.mdb").stat().st_size
    # A map larger than file and record together: what lies outside of the file is then mapped to
    # nothing, and to touch it is an error each time.
    env = lmdb.open(
        os.fsencode(folder),  # as the system has it: lmdb refuses a name that is no Unicode
        readonly=True,
        lock=False,
        readahead=False,
        map_size=2 * size + 2**20,
    )
    with env.begin(buffers=True) as transaction:
        count = bytes(transaction.get(b"num-samples") or b"")
        # More digits than records could be counted with: ImageSet says so.
        images = int(count) if count.isdigit() and len(count) < 20 else 0
        for index in range(1, min(images, env.stat()["entries"]) + 1):
            for kind in (b"image", b"label"):
                value = transaction.get(b"%s-%09d" % (kind, index))
                if value is None or not len(value):
                    continue
                if len(value) > size:
                    return f"{kind.decode()}-{index:09d} is longer than the file"
                value[-1]  # reading the last byte, for those between lie in the file if it does
    return ""


if __name__ == "__main__":
    try:
        print(read_through(sys.argv[1]))
    except lmdb.Error as error:
        print(error)
