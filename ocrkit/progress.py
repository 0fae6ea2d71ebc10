"""What a person sees while things run: bars with an ETA, and one line per finished run."""

import time
from collections.abc import Iterable
from typing import Self

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    SpinnerColumn,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
)
from rich.text import Text

from ocrkit.experiments.grid import Run, weight
from ocrkit.experiments.runner import Event
from ocrkit.results.show import duration
from ocrkit.training import Progress as TrainingProgress


class _Bars:
    """Bars that stand on the console within a `with` block."""

    def __init__(self, console: Console):
        self._bars = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            TextColumn("{task.percentage:>3.0f} %"),
            TimeElapsedColumn(),
            TextColumn("{task.fields[note]}", markup=False),
            console=console,
        )

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bars.stop()


class DataBars(_Bars):
    """One bar per set while data is generated."""

    def __init__(self, console: Console, doing: str = "drawing"):
        super().__init__(console)
        self._doing = doing
        self._tasks: dict[str, TaskID] = {}

    def watch(self, name: str, done: int, count: int) -> None:
        """Told by `prepare`."""
        if name not in self._tasks:
            self._tasks[name] = self._bars.add_task(f"{self._doing} {name}", total=count, note="")
        self._bars.update(self._tasks[name], completed=done, note=f"{done} of {count} images")


class RunBar(_Bars):
    """One bar for one run."""

    def __init__(self, console: Console, name: str):
        super().__init__(console)
        self._task = self._bars.add_task(name, total=None, note="")

    def watch(self, now: TrainingProgress) -> None:
        """Told by a `Trainer`."""
        self._bars.update(self._task, total=now.steps, completed=now.step)
        if now.valid_accuracy is not None:
            left = now.seconds * (now.steps - now.step) / now.step
            note = f"validation {now.valid_accuracy:.1f} %, about {duration(left)} to go"
            self._bars.update(self._task, note=note)


class SweepBars(_Bars):
    """One bar for the whole sweep, with an ETA, and one for each run in progress.

    Runs differ in length: the ETA weighs each by what it costs, from an earlier run's measured
    seconds where there is one, else from the estimate of `grid.weight`.
    """

    def __init__(self, console: Console, runs: Iterable[Run], seconds: dict[str, float]):
        super().__init__(console)
        self._weight = {run: seconds.get(run.model) or 1e-3 * weight(run.model) for run in runs}
        self._share: dict[Run, float] = dict.fromkeys(self._weight, 0.0)
        self._tasks: dict[Run, TaskID] = {}
        self._accuracy: dict[Run, float] = {}
        self._start, self._before = time.monotonic(), None
        self._all = self._bars.add_task("all runs", total=sum(self._weight.values()), note="")

    def watch(self, event: Event) -> None:
        """Told by `sweep`."""
        run = event.run
        if event.row is not None:
            self._end(run, event.row)
        else:
            if run not in self._tasks:
                self._tasks[run] = self._bars.add_task(run.name, total=event.steps, note="")
            if event.accuracy is not None:
                self._accuracy[run] = event.accuracy
            note = f"validation {self._accuracy[run]:.1f} %" if run in self._accuracy else ""
            self._bars.update(self._tasks[run], completed=event.step, note=note)
            self._share[run] = event.step / event.steps
        self._update_all()

    def _end(self, run: Run, row: dict) -> None:
        self._share[run] = 1.0
        began = run in self._tasks
        if began:
            self._bars.remove_task(self._tasks.pop(run))
        if row["status"] != "ok":
            line = Text("failed", "red").append(f" {run.name}: {row['error']}", "default")
            self._bars.console.print(line, soft_wrap=True)
        elif began:
            self._bars.console.print(
                f"{run.name:<28} {row['accuracy']:5.1f} % of unseen words, "
                f"{row['accuracy_seen']:5.1f} % of seen ones, {duration(row['train_seconds'])}"
            )

    def _update_all(self) -> None:
        done = sum(self._weight[run] * share for run, share in self._share.items())
        total = sum(self._weight.values())
        if self._before is None:  # what an earlier call had done says nothing of this one's speed
            self._before = done
            self._start = time.monotonic()
        gained, took = done - self._before, time.monotonic() - self._start
        eta = ""
        if gained > 0 and took > 5:
            eta = f"about {duration((total - done) * took / gained)} to go"
        self._bars.update(self._all, completed=done, note=eta)
