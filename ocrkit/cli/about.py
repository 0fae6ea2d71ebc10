"""Commands about the machine, the models and the notebooks."""

import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from ocrkit.cli.base import app, console, say
from ocrkit.errors import OcrkitError
from ocrkit.limits import MAX_CLASSES


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
    format: Annotated[str, typer.Option(help="table or csv")] = "table",
    classes: Annotated[
        int, typer.Option(min=2, max=MAX_CLASSES, help="of a CTC model; attention has one more")
    ] = 973,
) -> None:
    """List the 24 models and their parameters by stage, at the paper's full size."""
    import pandas as pd

    from ocrkit.experiments.grid import count_parameters
    from ocrkit.models import MODEL_NAMES, parse_name
    from ocrkit.results.show import to_rich

    if format not in ("table", "csv"):
        raise OcrkitError(f"unknown format {format!r}: choose table or csv")
    rows = []
    for name in MODEL_NAMES:
        stages = count_parameters(name, classes)
        stages = {f"params_{stage.lower()}": count for stage, count in stages.items()}
        named = {"model": name} if format == "table" else parse_name(name)._asdict()
        rows.append({**named, "parameters": sum(stages.values()), **stages})
    frame = pd.DataFrame(rows)
    if format == "csv":
        sys.stdout.write(frame.to_csv(index=False))
    else:
        to_rich(frame, f"The 24 models, {classes} classes", console)


@app.command()
def notebooks(
    names: Annotated[
        list[str] | None, typer.Argument(help="numbers or parts of names [default: all]")
    ] = None,
    smoke: Annotated[bool, typer.Option("--smoke", help="quick, and not saved")] = False,
) -> None:
    """Run the notebooks top to bottom and save them with their outputs."""
    import tempfile

    from ocrkit.notebooks import execute, find_notebooks, tidy

    for path in find_notebooks():
        if names and not any(name in path.name for name in names):
            continue
        with tempfile.TemporaryDirectory() as scratch:
            out = Path(scratch) / path.name
            seconds = execute(path, out, smoke)
            tidy(out)
            if not smoke:
                path.write_bytes(out.read_bytes())
        say(f"{path}  {seconds:.0f} s")
