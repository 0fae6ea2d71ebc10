"""Commands that report on what was trained."""

from pathlib import Path
from typing import Annotated

import typer

from ocrkit.cli.base import Out, PresetName, app, console, say


@app.command()
def report(
    preset: PresetName = "mini",
    out: Out = None,
    claims: Annotated[
        bool, typer.Option("--claims", help="each claim of the paper, with a verdict, as well")
    ] = False,
) -> None:
    """Print Tables 1 and 2 (the paper's, the reference run's, yours) and write the report page."""
    from ocrkit.report import print_claims, print_tables, write_report

    folder = out or Path("runs") / preset
    print_tables(preset, folder, console)
    if claims:
        print_claims(preset, folder, console)
    say(f"the report page: {write_report(preset, folder)}")


@app.command()
def promote(
    preset: PresetName = "mini",
    source: Annotated[Path | None, typer.Option(help="a run [default: runs/PRESET]")] = None,
) -> None:
    """For the project's keepers: make a finished run the committed reference run."""
    from ocrkit.report import promote_run

    promoted = promote_run(preset, source or Path("runs") / preset)
    say("promoted: " + ", ".join(map(str, promoted)))
