"""TRDG's side of the comparison, run by the Python that TRDG is installed for.

It speaks first: one line (JSON) with its versions. Then it reads a job a line and answers with the
seconds that TRDG took. Nothing of ocrkit is imported: that Python does not have it.
"""

import io
import json
import sys
import time
from importlib.metadata import version
from typing import TextIO


def answer_jobs(jobs: TextIO, answers: TextIO) -> None:
    """Draw each job's texts as JPEG in memory.

    A job is {"font": path, "parts": [[options, texts], ...]}; the options are TRDG's own.
    """
    import cv2
    from trdg.generators import GeneratorFromStrings

    cv2.setNumThreads(1)
    packages = ("trdg", "pillow", "numpy")
    print(json.dumps({name: version(name) for name in packages}), file=answers, flush=True)
    for line in jobs:
        job = json.loads(line)
        processor, wall = time.process_time(), time.perf_counter()
        for options, texts in job["parts"]:
            pictures = GeneratorFromStrings(
                texts,
                count=len(texts),
                fonts=[job["font"]],
                language="ko",
                size=64,
                margins=(5, 5, 5, 5),
                text_color="#282828",
                **options,
            )
            for picture, _ in pictures:
                picture.save(io.BytesIO(), "JPEG", quality=75)
        seconds = {
            "processor": time.process_time() - processor,
            "wall": time.perf_counter() - wall,
        }
        print(json.dumps(seconds), file=answers, flush=True)


if __name__ == "__main__":
    own, sys.stdout = sys.stdout, sys.stderr  # TRDG prints what it likes
    answer_jobs(sys.stdin, own)
