"""Stand-ins for NVIDIA Apex: its signatures, real arithmetic, and a list of the calls.

Every call is bound to the signature that Apex 25.04 documents, so a wrong name, order or number of
arguments is a TypeError, as it would be there. Opt level O1 casts as the real one does: it replaces
functions of torch for the whole process, and keeps a half-width copy of each weight.
"""

import contextlib
import inspect
from collections import OrderedDict
from collections.abc import Callable
from types import ModuleType, SimpleNamespace

import torch
from torch.nn import functional as F

Required = inspect.Parameter.empty


def signature(**parameters: object) -> inspect.Signature:
    """A signature from names and defaults; `Required` for those without."""
    kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
    made = [inspect.Parameter(name, kind, default=value) for name, value in parameters.items()]
    return inspect.Signature(made)


SIGNATURES = {
    "amp.initialize": signature(
        models=Required,
        optimizers=None,
        enabled=True,
        opt_level="O1",
        cast_model_type=None,
        patch_torch_functions=None,
        keep_batchnorm_fp32=None,
        master_weights=None,
        loss_scale=None,
        cast_model_outputs=None,
        num_losses=1,
        verbosity=1,
        min_loss_scale=None,
        max_loss_scale=2.0**24,
    ),
    "amp.scale_loss": signature(
        loss=Required,
        optimizers=Required,
        loss_id=0,
        model=None,
        delay_unscale=False,
        delay_overflow_check=False,
    ),
    "amp.master_params": signature(optimizer=Required),
    "amp.state_dict": signature(destination=None),
    "amp.load_state_dict": signature(state_dict=Required),
    "parallel.convert_syncbn_model": signature(
        module=Required, process_group=None, channel_last=False
    ),
    # The real one has more parameters between these; named ones are all that is safe.
    "parallel.DistributedDataParallel": signature(
        module=Required, message_size=10000000, delay_allreduce=False, gradient_average=True
    ),
    "optimizers.FusedAdam": signature(
        params=Required,
        lr=1e-3,
        bias_correction=True,
        betas=(0.9, 0.999),
        eps=1e-8,
        adam_w_mode=True,
        weight_decay=0.0,
        amsgrad=False,
        set_grad_none=True,
        capturable=False,
        master_weights=False,
    ),
}


# What O1 replaces, of that what the models here call: products go to fp16, sums of many numbers to
# fp32, and whatever takes several tensors to the widest of their types.
TO_HALF = {
    F: ("conv2d", "linear"),
    torch: ("addmm", "bmm", "matmul", "mm"),
    torch.Tensor: ("__matmul__", "addmm", "bmm", "matmul", "mm"),
    torch.nn.modules.rnn._VF: ("lstm",),
}
TO_FLOAT = {
    F: ("cross_entropy", "log_softmax", "softmax"),
    torch: ("exp", "log", "sum"),
    torch.Tensor: ("cpu", "exp", "log", "sum"),
}
TO_WIDEST = {
    torch: ("add", "addcmul", "cat", "div", "mul", "stack"),
    torch.Tensor: ("__add__", "__mul__", "__rmul__", "__sub__", "add", "addcmul", "div", "mul"),
}


def cast(value: object, dtype: torch.dtype) -> object:
    """Tensors of floats, and lists of them, as `dtype`; all else as it is."""
    if isinstance(value, list | tuple):
        return type(value)(cast(one, dtype) for one in value)
    floating = isinstance(value, torch.Tensor) and value.is_floating_point()
    return value.to(dtype) if floating else value


def float_types(value: object) -> set[torch.dtype]:
    """The types of all tensors of floats in a value."""
    if isinstance(value, list | tuple):
        return set().union(*map(float_types, value))
    floating = isinstance(value, torch.Tensor) and value.is_floating_point()
    return {value.dtype} if floating else set()


class Casts:
    """Opt level O1, from `start` on; `replace(owner, name, function)` is what changes torch."""

    def __init__(self, replace: Callable[[object, str, Callable], None]) -> None:
        self.replace, self.copies = replace, {}

    def start(self) -> None:
        for kind, table in ((self.half, TO_HALF), (self.float, TO_FLOAT), (self.widest, TO_WIDEST)):
            for owner, names in table.items():
                for name in names:
                    self.replace(owner, name, kind(getattr(owner, name)))

    def half(self, function: Callable) -> Callable:
        def call(*arguments: object, **named: object) -> object:
            arguments = [self.half_weight(a) for a in arguments]
            named = {name: cast(self.half_weight(a), torch.half) for name, a in named.items()}
            return function(*cast(arguments, torch.half), **named)

        return call

    def half_weight(self, value: object) -> object:
        """A weight's copy, made at its first use after a backward pass."""
        if not isinstance(value, torch.nn.Parameter):
            return value
        if (kept := self.copies.get(value)) is None:
            self.copies[value] = kept = value.half()
        # Is it this weight's? Where torch kept two functions behind a copy this was the second;
        # it keeps one now, so that a second use ends here (NVIDIA/apex, issue 1227).
        elif kept.requires_grad and kept.grad_fn.next_functions[1][0].variable is not value:
            raise RuntimeError("x is not cache[x]'s parent")
        return kept

    def float(self, function: Callable) -> Callable:
        def call(*arguments: object, **named: object) -> object:
            return function(*cast(arguments, torch.float32), **named)

        return call

    def widest(self, function: Callable) -> Callable:
        def call(*arguments: object, **named: object) -> object:
            if float_types([*arguments, *named.values()]) == {torch.half, torch.float32}:
                arguments = cast(arguments, torch.float32)
                named = {name: cast(value, torch.float32) for name, value in named.items()}
            return function(*arguments, **named)

        return call


class Apex:
    """One installed Apex: its modules, and `calls`, what was called with what, in order.

    `replace`: as in `Casts`, for the time of a test.
    """

    def __init__(self, *parts: str, replace: Callable[[object, str, Callable], None]) -> None:
        self.casts = Casts(replace)
        self.calls: list[tuple[str, SimpleNamespace]] = []
        self.scale, self.skips = 2.0**16, 0
        self.modules = {"apex": ModuleType("apex")}
        for name in parts:
            self.modules[f"apex.{name}"] = ModuleType(f"apex.{name}")
        for name in SIGNATURES:
            part, _, function = name.partition(".")
            if part in parts:
                behaviour = getattr(self, f"_{function.lower()}")
                setattr(self.modules[f"apex.{part}"], function, self._bound(name, behaviour))

    @property
    def names(self) -> list[str]:
        return [name for name, _ in self.calls]

    def _bound(self, name: str, behaviour: Callable) -> Callable:
        def call(*arguments: object, **named: object) -> object:
            bound = SIGNATURES[name].bind(*arguments, **named)
            bound.apply_defaults()
            told = SimpleNamespace(**bound.arguments)
            self.calls.append((name, told))
            return behaviour(told)

        return call

    def _initialize(self, told: SimpleNamespace) -> tuple:
        assert told.opt_level in ("O0", "O1", "O2", "O3")
        self.scale = 1.0 if told.opt_level == "O0" else 2.0**16
        if told.opt_level == "O1" and told.patch_torch_functions is not False:
            self.casts.start()
        return told.models, told.optimizers

    @contextlib.contextmanager
    def _scale_loss(self, told: SimpleNamespace):
        yield told.loss.float() * self.scale
        self.casts.copies.clear()
        gradients = [weight.grad for weight in self._weights(told.optimizers)]
        for gradient in gradients:
            gradient.div_(self.scale)
        if not all(gradient.isfinite().all() for gradient in gradients):
            self.scale, self.skips = self.scale / 2, self.skips + 1
            real = told.optimizers.step

            def skip() -> None:
                told.optimizers.step = real

            told.optimizers.step = skip

    def _weights(self, optimizer: torch.optim.Optimizer) -> list[torch.Tensor]:
        return [weight for group in optimizer.param_groups for weight in group["params"]]

    def _master_params(self, told: SimpleNamespace):
        yield from self._weights(told.optimizer)

    def _state_dict(self, told: SimpleNamespace) -> OrderedDict:
        return OrderedDict(loss_scaler0={"loss_scale": self.scale, "unskipped": 0})

    def _load_state_dict(self, told: SimpleNamespace) -> None:
        self.scale = told.state_dict["loss_scaler0"]["loss_scale"]

    def _convert_syncbn_model(self, told: SimpleNamespace) -> torch.nn.Module:
        return told.module

    def _distributeddataparallel(self, told: SimpleNamespace) -> torch.nn.Module:
        assert torch.distributed.is_initialized(), "Apex averages over the process group"
        return torch.nn.Sequential(told.module)

    def _fusedadam(self, told: SimpleNamespace) -> torch.optim.Optimizer:
        assert told.adam_w_mode, "without it, weight decay is that of Adam"
        options = {"lr": told.lr, "betas": told.betas, "eps": told.eps}
        return torch.optim.AdamW(told.params, **options, weight_decay=told.weight_decay)
