"""Who copies what to whom, and when: three ways to share a batch, measured on real processes.

`torch.nn.DataParallel` needs several GPUs. What it copies in a step is copied here between
processes, by the operations of the same names: scatter, broadcast, gather, reduce. Beside it stand
DistributedDataParallel itself (Li et al., "PyTorch Distributed", VLDB 2020) and the way Apex was
called in 2019: every gradient in one message, after the backward pass.
"""

import itertools
import time
from typing import Any

import torch
import torch.distributed as dist
from torch.nn.parallel import DistributedDataParallel

from ocrkit.data.cache import to_input
from ocrkit.experiments.datasets import DataSets
from ocrkit.experiments.grid import Run
from ocrkit.experiments.presets import Preset
from ocrkit.experiments.setup import make_trainer
from ocrkit.training import Progress, Trainer
from ocrkit.training.ledger import Event, Ledger, memory_bytes
from ocrkit.training.losses import loss_of
from ocrkit.training.world import World


class DataParallelStep:
    """Rank 0 has the optimiser, the labels and the loss. The others lend their arithmetic."""

    def __init__(self, trainer: Trainer, world: World, log: Ledger) -> None:
        self.trainer, self.world, self.log = trainer, world, log

    def __call__(self, step: int) -> float:
        """One step; the loss of the whole batch in rank 0, NaN in the others."""
        model, log, world = self.trainer.model, self.log, self.world
        parts = [self.trainer.batches.part(step, rank, world.size) for rank in range(world.size)]
        inputs = [to_input(part.pixels) for part in parts] if world.is_main else None
        with log.part("scatter images"):
            images = torch.empty(len(parts[0].texts), 1, model.image_height, model.image_width)
            dist.scatter(images, inputs)
        with log.part("replicate weights"), torch.no_grad():
            for tensor in itertools.chain(model.parameters(), model.buffers()):
                dist.broadcast(tensor.detach(), 0)
        with log.part("forward"):
            logits = model(images)
        with log.part("gather logits"):
            gathered = [torch.empty_like(logits) for _ in parts] if world.is_main else None
            dist.gather(logits.detach(), gathered)
        loss, slopes = torch.tensor(float("nan")), None
        with log.part("loss"):
            if world.is_main:
                whole = torch.cat(gathered).requires_grad_()
                texts = [text for part in parts for text in part.texts]
                loss = loss_of(whole, self.trainer.converter, texts)
                slopes = list(torch.autograd.grad(loss, whole)[0].split(len(images)))
        with log.part("scatter gradient of logits"):
            slope = torch.empty_like(logits)
            dist.scatter(slope, slopes)
        with log.part("backward"):
            self.trainer.engine.optimizer.zero_grad()
            logits.backward(slope)
        with log.part("reduce gradients"):
            for parameter in model.parameters():
                dist.reduce(parameter.grad, 0)
        with log.part("optimiser"):
            if world.is_main:
                self.trainer.engine.step()
        return loss.item()


class OwnPartStep:
    """Every process has the optimiser and the loss of its own part; gradients are averaged."""

    def __init__(self, trainer: Trainer, world: World, log: Ledger) -> None:
        self.trainer, self.world, self.log, self.model = trainer, world, log, trainer.model

    def __call__(self, step: int) -> float:
        """One step; the mean of all processes' losses."""
        part = self.trainer.batches.part(step, self.world.rank, self.world.size)
        with self.log.part("forward"):
            logits = self.model(to_input(part.pixels))
        with self.log.part("loss"):
            loss = loss_of(logits, self.trainer.converter, part.texts)
        with self.log.part("backward"):
            self.trainer.engine.optimizer.zero_grad()
            loss.backward()
        self.after_backward()
        with self.log.part("optimiser"):
            self.trainer.engine.step()
        return self.world.mean(loss.item())[0]

    def after_backward(self) -> None:
        """What is left to send."""


class BucketsStep(OwnPartStep):
    """DistributedDataParallel: a bucket of gradients is sent as soon as it is full."""

    def __init__(self, trainer: Trainer, world: World, log: Ledger, bucket_mb: float = 4.0) -> None:
        super().__init__(trainer, world, log)
        self.model = DistributedDataParallel(trainer.model, bucket_cap_mb=bucket_mb)
        self.model.register_comm_hook(None, self._send)

    def _send(self, _: object, bucket: dist.GradBucket) -> torch.futures.Future[torch.Tensor]:
        begin, buffer = time.perf_counter(), bucket.buffer().div_(self.world.size)

        def done(future: torch.futures.Future) -> torch.Tensor:
            event = Event(self.log.step, "bucket", begin, time.perf_counter(), size=buffer.nbytes)
            self.log.events.append(event)
            return future.value()[0]

        return dist.all_reduce(buffer, async_op=True).get_future().then(done)


class DelayedStep(OwnPartStep):
    """Apex with `delay_allreduce=True`: one message with everything, after the backward pass."""

    def after_backward(self) -> None:
        """Copy all gradients into one tensor, average it, and copy them back."""
        with self.log.part("all-reduce gradients"):
            gradients = [parameter.grad for parameter in self.trainer.model.parameters()]
            flat = torch.cat([gradient.flatten() for gradient in gradients])
            dist.all_reduce(flat.div_(self.world.size))
            for gradient, new in zip(
                gradients, flat.split([g.numel() for g in gradients]), strict=True
            ):
                gradient.copy_(new.view_as(gradient))


SCHEMES = {"DataParallel": DataParallelStep, "DDP": BucketsStep, "Apex 2019": DelayedStep}


def steps_by(
    world: World,
    scheme: str,
    preset: Preset,
    data: DataSets,
    run: Run,
    steps: int = 4,
    **options: Any,
) -> Ledger:
    """Train a CTC model for some steps by one of `SCHEMES`, at its schedule's first rate.

    Work for `in_processes`.

    Args:
        options: `bucket_mb`, MiB of a bucket of DDP's.
    """
    log, before = Ledger(), memory_bytes("VmRSS")
    trainer = make_trainer(preset, data, run)
    take = SCHEMES[scheme](trainer, world, log, **options)
    for log.step in range(steps):
        world.wait()
        log.losses.append(take(log.step))
    world.wait()  # who leaves closes its connections, and what they carried is no longer counted
    log.memory = memory_bytes("VmHWM") - before
    return log


def follow(
    world: World, preset: Preset, data: DataSets, run: Run, sync_batch_norm: bool = False
) -> list[Progress]:
    """Train as `torchrun ... ocrkit train` does; each step's progress in rank 0, else nothing."""
    told: list[Progress] = []
    trainer = make_trainer(preset, data, run, world=world, sync_batch_norm=sync_batch_norm)
    trainer.run(told.append)
    return told


def all_reduce_seconds(world: World, sizes: list[int], repeats: int = 9) -> list[float]:
    """The median seconds in which numbers of so many bytes in all are summed over the processes."""
    seconds = []
    for size in sizes:
        numbers, times = torch.zeros(size // 4), []
        for _ in range(repeats + 1):
            world.wait()
            start = time.perf_counter()
            dist.all_reduce(numbers)
            times.append(time.perf_counter() - start)
        seconds.append(sorted(times[1:])[repeats // 2])  # the first call is slower
    return seconds
