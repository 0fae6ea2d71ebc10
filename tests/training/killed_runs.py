"""Train toy models until SIGKILL: `python -m killed_runs FOLDER` fills FOLDER/MOMENT/MODEL.

Two moments: "step", between a step and its checkpoint; "save", in the middle of a checkpoint, when
the newest has been put aside and the next is not yet in its place.
"""

import os
import signal
import sys
from pathlib import Path

import torch
from toys import ATTN, CTC, toy_trainer


def train_until_killed(name: str, moment: str, folder: Path) -> None:
    def kill() -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    def watch(progress) -> None:
        if moment == "step" and progress.step == 5:
            kill()

    move, moved = os.replace, []

    def replace(source, target) -> None:
        move(source, target)
        moved.append(Path(target).name)
        if moment == "save" and moved.count("before.pt") == 4:
            kill()

    os.replace = replace
    toy_trainer(name, folder).run(watch)


if __name__ == "__main__":
    torch.set_num_threads(1)
    toy_trainer(CTC)  # what torch imports late is then imported once, before the forks
    for moment in ("step", "save"):
        for name in (CTC, ATTN):
            child = os.fork()
            if child == 0:
                train_until_killed(name, moment, Path(sys.argv[1]) / moment / name)
                os._exit(0)
            ended = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
            assert ended == -signal.SIGKILL, f"{name} ended with {ended}"
