"""What a person sees while things run: bars with the time that is left, a line a finished run."""

from collections.abc import Iterable
from typing import Any

from rich import progress
from rich.console import Console
from rich.text import Text

from ocrkit.experiments.grid import Run, weight
from ocrkit.experiments.runner import Event
from ocrkit.results.show import duration
from ocrkit.training import Progress


class Bars(progress.Progress):
    """Bars that stand on the console within a `with` block; a name's first call begins its bar."""

    def __init__(self, console: Console, **options: Any):
        super().__init__(
            progress.SpinnerColumn(),
            progress.TextColumn("{task.description}", markup=False),
            progress.BarColumn(),
            progress.TextColumn("{task.percentage:>3.0f} %"),
            progress.TimeElapsedColumn(),
            progress.TimeRemainingColumn(),
            progress.TextColumn("{task.fields[note]}", markup=False),
            console=console,
            speed_estimate_period=600,  # seconds: over validations, and runs of other speeds
            **options,
        )
        self._by_name: dict[str, progress.TaskID] = {}

    def show(self, name: str, done: float, total: float, note: str | None = None) -> None:
        """Move a bar; without a note the one before stays."""
        if name not in self._by_name:
            self._by_name[name] = self.add_task(name, total=total, note="")
        noted: dict[str, Any] = {} if note is None else {"note": note}
        self.update(self._by_name[name], completed=done, total=total, **noted)

    def show_images(self, name: str, done: int, count: int) -> None:
        """As `show`, of the images of a set."""
        self.show(name, done, count, f"{done} of {count} images")

    def show_training(self, name: str, now: Progress) -> None:
        """As `show`, of the steps of a training."""
        self.show(name, now.step, now.steps, _validation(now.valid_accuracy))

    def end(self, name: str) -> bool:
        """Remove a bar; was there one?"""
        if name in self._by_name:
            self.remove_task(self._by_name.pop(name))
            return True
        return False


class SweepBars(Bars):
    """One bar for what is left of the sweep, and one for each run in progress.

    Runs differ in length: the time left weighs each by what it costs, from an earlier run's
    measured seconds where there is one, else from the estimate of `grid.weight`.
    """

    def __init__(self, console: Console, runs: Iterable[Run], seconds: dict[str, float]):
        super().__init__(console)
        self._weight = {run: seconds.get(run.model) or 1e-3 * weight(run.model) for run in runs}
        self._share: dict[Run, float] = {}
        self.show("all runs", 0, sum(self._weight.values()))

    def watch(self, event: Event) -> None:
        """Called by `sweep`."""
        run, row = event.run, event.row
        if row is None:
            self.show(run.name, event.step, event.steps, _validation(event.accuracy))
        elif self.end(run.name) or row["status"] != "ok":
            self.console.print(ended(run, row), soft_wrap=True)
        else:  # done before: that says nothing of this call's speed
            self._weight[run] = 0
        self._share[run] = 1.0 if row else event.step / event.steps
        done = sum(self._weight[run] * share for run, share in self._share.items())
        self.show("all runs", done, sum(self._weight.values()))


def _validation(accuracy: float | None) -> str | None:
    return None if accuracy is None else f"validation {accuracy:.1f} %"


def ended(run: Run, row: dict[str, Any]) -> Text:
    """How a run went, in a line."""
    if row["status"] != "ok":
        return Text("failed", "red").append(f" {run.name}: {row['error']}", "default")
    return Text(
        f"{run.name:<28} {row['accuracy']:5.1f} % of the test images, "
        f"{row['accuracy_seen']:5.1f} % of seen words, {duration(row['train_seconds'])}"
    )
