"""TRDG's side of the comparison, run by the Python that TRDG is installed for.

A job on the standard input: {"font": path, "parts": [[options, texts], ...]}; the options are
TRDG's own. The answer on the standard output: versions, and the processor's seconds that drawing
took, as JPEG in memory. Nothing of ocrkit is imported: that Python does not have it.
"""

import io
import json
import sys
import time
from importlib.metadata import version


def draw(job: dict) -> None:
    """Draw the texts of all parts."""
    from trdg.generators import GeneratorFromStrings

    for options, texts in job["parts"]:
        pictures = GeneratorFromStrings(
            texts, count=len(texts), fonts=[job["font"]], language="ko", size=64,
            margins=(5, 5, 5, 5), text_color="#282828", **options,
        )  # fmt: skip
        for picture, _ in pictures:
            picture.save(io.BytesIO(), "JPEG", quality=75)


if __name__ == "__main__":
    import cv2

    cv2.setNumThreads(1)
    out, sys.stdout = sys.stdout, sys.stderr  # TRDG prints what it likes
    job = json.load(sys.stdin)
    draw({**job, "parts": [[options, texts[:1]] for options, texts in job["parts"]]})  # warms up
    start = time.process_time()
    draw(job)
    seconds = time.process_time() - start
    versions = {name: version(name) for name in ("trdg", "pillow", "numpy")}
    json.dump({"seconds": seconds, "versions": versions}, out)
