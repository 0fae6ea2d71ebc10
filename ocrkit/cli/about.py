"""Commands about the machine and the models."""

from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from ocrkit.cli.base import app, console
from ocrkit.schemas import MAX_CLASSES


@app.command()
def doctor() -> None:
    """Say what this machine can do and what is missing."""
    from ocrkit.doctor import examine

    findings = examine(Path.cwd())
    for what, well, found in findings:
        line = Text("ok" if well else "!!", "green" if well else "red")
        line.append(f"  {what:<18} {found}", "default")
        console.print(line, soft_wrap=True)
    if not all(well for _, well, _ in findings):
        raise typer.Exit(1)


@app.command()
def models(
    classes: Annotated[
        int, typer.Option(min=2, max=MAX_CLASSES, help="of a CTC model; attention has one more")
    ] = 973,
) -> None:
    """List the 24 models and their parameters by stage, at the paper's full size."""
    import pandas as pd

    from ocrkit.experiments.grid import count_parameters
    from ocrkit.models import MODEL_NAMES
    from ocrkit.results.show import to_rich

    rows = []
    for name in MODEL_NAMES:
        stages = count_parameters(name, classes)
        stages = {f"params_{stage.lower()}": count for stage, count in stages.items()}
        rows.append({"model": name, "parameters": sum(stages.values()), **stages})
    to_rich(pd.DataFrame(rows), f"The 24 models, {classes} classes", console)
