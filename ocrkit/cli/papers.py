"""The command that trains and tries the papers of the reading list."""

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from ocrkit.cli import options
from ocrkit.cli.base import app, console, say


@app.command()
def papers(
    study: Annotated[list[str] | None, typer.Argument(help="such as craft or moran-plain")] = None,
    seed: options.Seeds = None,
    out: Annotated[Path, typer.Option(help="where rows and weights go")] = Path("runs/papers"),
    threads: Annotated[int, typer.Option(min=1, max=1024, help="processor cores to train on")] = 2,
) -> None:
    """Train the small models of the reading list, or list them.

    Finished runs are kept; one that was stopped goes on from its last checkpoint.
    """
    import shutil

    import torch

    from ocrkit.files import check_writable
    from ocrkit.papers.shared.study import all_studies, find_study, run_study
    from ocrkit.progress import Bars

    if not study:
        for name in all_studies():
            say(name)
        return
    check_writable(out)
    torch.set_num_threads(threads)
    for name in study:
        found = find_study(name)
        for number in seed or [1]:
            state = out / "state" / f"{name}-s{number}"
            with Bars(console) as bars:
                watch = partial(bars.show_training, f"{name}, seed {number}")
                row = run_study(found, number, out, watch, state)
            shutil.rmtree(state, ignore_errors=True)
            console.print({k: v for k, v in row.items() if k not in ("history", "recipe")})
