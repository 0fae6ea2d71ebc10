"""The commands that measure speed."""

import os
from pathlib import Path
from typing import Annotated

import typer

from ocrkit.cli.base import Device, app, console
from ocrkit.errors import OcrkitError


@app.command()
def bench(
    only: Annotated[
        list[str] | None, typer.Option(help="generate, feed or train; repeat for more")
    ] = None,
    rounds: Annotated[int, typer.Option(min=1, help="turns that each side gets")] = 5,
    trdg: Annotated[
        Path, typer.Option(help="the Python that TRDG is installed for: see `make bench`")
    ] = Path(".venv-trdg/bin/python"),
    out: Annotated[Path, typer.Option(help="the file to write")] = Path("runs/bench.json"),
) -> None:
    """Measure how fast generating, feeding and training are beside today's tools.

    Both sides are measured in turns, on one core (training: on two). A busy machine slows both,
    and its numbers are not worth keeping.
    """
    # Before numpy is loaded: its own threads would make "one core" untrue.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    from ocrkit.bench.run import MEASURES, describe_machine, document, notes, rows, summary, table
    from ocrkit.files import write_json
    from ocrkit.report.text import to_rich

    chosen = tuple(only or MEASURES)
    if unknown := [name for name in chosen if name not in MEASURES]:
        raise OcrkitError(f"no measure {unknown[0]!r}: choose among {', '.join(MEASURES)}")
    machine, measured = describe_machine(), []
    with console.status("measuring"):
        for row in rows(chosen, trdg, rounds):
            measured.append(row)
            console.print(f"measured {row.what}")
    found = document(machine, measured)
    write_json(out, found)
    to_rich(table(found), "Images a second, and how many times theirs", console)
    for note in [summary(machine), *notes(found), f"written to {out}"]:
        console.print(note, markup=False, highlight=False)


@app.command()
def performance(
    device: Device = "cpu",
    out: Annotated[Path, typer.Option(help="the file to write")] = Path("runs/performance.json"),
    doc: Annotated[
        Path | None, typer.Option(help="a document whose tables to renew, between its marks")
    ] = None,
    again: Annotated[
        bool, typer.Option("--again/--as-it-is", help="measure, or write the tables of the file")
    ] = True,
) -> None:
    """Measure training and reading of all 24 models, beside plain fp32 and the machine's ceilings.

    About ten minutes on an idle core; the machine may have others, and other work on them.
    """
    from ocrkit.bench.performance import measure, tables, write_tables
    from ocrkit.files import read_json, write_json
    from ocrkit.training.precision import find_device

    if again:
        with console.status("measuring"):
            found = measure(find_device(device), lambda what: console.print(f"measured {what}"))
        write_json(out, found)
        console.print(f"written to {out}", markup=False, highlight=False)
    found = read_json(out)
    if doc:
        write_tables(doc, found)
    else:
        for name, table in tables(found).items():
            console.print(f"\n{name}\n\n{table}", markup=False, highlight=False, soft_wrap=True)
