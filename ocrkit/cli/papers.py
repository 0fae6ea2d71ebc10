"""The command that trains and tries the papers of the reading list."""

from pathlib import Path
from typing import Annotated

import typer

from ocrkit.cli.base import Seeds, app, console, say


@app.command()
def papers(
    study: Annotated[list[str] | None, typer.Argument(help="such as craft or moran-plain")] = None,
    seed: Seeds = None,
    out: Annotated[Path, typer.Option(help="where rows and weights go")] = Path("runs/papers"),
    threads: Annotated[int, typer.Option(min=1, max=1024, help="processor cores to train on")] = 2,
    times: Annotated[
        bool, typer.Option(help="train nothing; time one image through every model that is there")
    ] = False,
) -> None:
    """Train the small models of the reading list, or list them.

    Finished runs are kept; one that was stopped goes on from its last checkpoint.
    """
    import shutil

    import torch

    from ocrkit.files import check_writable
    from ocrkit.papers.shared.study import all_studies, find_study, run_study, time_again
    from ocrkit.progress import RunBar

    if times:
        time_again(out, lambda name, ms: say(f"{name}: {ms:.1f} ms an image"))
        return
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
            with RunBar(console, f"{name}, seed {number}") as bar:
                row = run_study(found, number, out, bar.watch, state)
            shutil.rmtree(state, ignore_errors=True)
            console.print({k: v for k, v in row.items() if k not in ("history", "recipe")})
