"""The readers: four stages, each with its options, put together by name.

Baek et al., "What Is Wrong With Scene Text Recognition Model Comparisons?" (ICCV 2019), section 3.
The options of `STAGES` make the paper's 24; those of `options` that are not among them came later.
"""

import difflib
import itertools
from typing import NamedTuple

import torch
from torch import Tensor, nn

from ocrkit.errors import OcrkitError
from ocrkit.models.features import EXTRACTORS, BasicBlock, frames
from ocrkit.models.jamo import JamoCTC
from ocrkit.models.parseq import PARSeq
from ocrkit.models.prediction import Attention
from ocrkit.models.sequence import SEQUENCES
from ocrkit.models.transformation import TPS

STAGES: dict[str, tuple[str, ...]] = {
    "transformation": ("None", "TPS"),
    "feature": ("VGG", "RCNN", "ResNet"),
    "sequence": ("None", "BiLSTM"),
    "prediction": ("CTC", "Attn"),
}
MODEL_NAMES: tuple[str, ...] = tuple(
    "-".join(parts) for parts in itertools.product(*STAGES.values())
)
# Which of the 24 an earlier paper had proposed, as Baek et al. (2019) place it in the framework.
KNOWN_MODELS = {
    "None-VGG-BiLSTM-CTC": "CRNN (Shi et al., 2017)",
    "None-RCNN-None-Attn": "R2AM (Lee and Osindero, 2016)",
    "None-RCNN-BiLSTM-CTC": "GRCNN (Wang and Hu, 2017)",
    "None-ResNet-None-CTC": "Rosetta (Borisyuk et al., 2018)",
    "TPS-VGG-BiLSTM-Attn": "RARE (Shi et al., 2016)",
    "TPS-ResNet-BiLSTM-CTC": "STAR-Net (Liu et al., 2016)",
    "TPS-ResNet-BiLSTM-Attn": "the best of Baek et al. (2019)",
}


def options() -> dict[str, tuple[str, ...]]:
    """All options of each stage: the paper's, and those that came later."""
    return STAGES | {
        "feature": tuple(EXTRACTORS),
        "sequence": ("None", *SEQUENCES),
        "prediction": (*STAGES["prediction"], "JamoCTC", "PARSeq"),
    }


class ModelName(NamedTuple):
    """The four stages of a name such as TPS-VGG-BiLSTM-Attn."""

    transformation: str
    feature: str
    sequence: str
    prediction: str


def parse_name(name: str) -> ModelName:
    """Split a model name into its four stages; OcrkitError names the nearest for an unknown one."""
    names = ["-".join(parts) for parts in itertools.product(*options().values())]
    if name in names:
        return ModelName(*name.split("-"))
    by_lower = {known.lower(): known for known in names}
    # The name of its paper, such as CRNN, is as good as a model's own.
    by_lower |= {paper.split(" (")[0].lower(): known for known, paper in KNOWN_MODELS.items()}
    nearest = difflib.get_close_matches(str(name).lower(), by_lower, n=1, cutoff=0)[0]
    raise OcrkitError(
        f"no model is called {name!r}: did you mean {by_lower[nearest]}? "
        "(`ocrkit models` lists the paper's 24)"
    )


class Recognizer(nn.Module):
    """A reader by its name: images -> logits over the classes, frame by frame or step by step.

    name: transformation-feature-sequence-prediction, e.g. "TPS-VGG-BiLSTM-Attn".
    classes: characters + 1 (CTC: [blank]) or + 2 (Attn, PARSeq: [GO], [s]); JamoCTC's characters
        are those of `jamo_charset`.
    max_length: characters of the longest label; Attn and PARSeq take one step more, for [s].
    image_width, image_height: pixels; the paper's are 100 or 400 by 32.
    width: multiplies every channel and hidden size (1 = the paper's; 0.25 = the thin models).
    Raises OcrkitError for an unknown name or a size no model can have.
    """

    def __init__(
        self,
        name: str,
        *,
        classes: int,
        max_length: int = 25,
        image_width: int = 100,
        image_height: int = 32,
        width: float = 1.0,
    ) -> None:
        super().__init__()
        stages = parse_name(name)
        _check_sizes(classes, max_length, image_width, image_height, width)
        self.name, self.prediction = name, stages.prediction
        self.classes, self.max_length = classes, max_length
        self.image_width, self.image_height, self.width = image_width, image_height, width
        self.frames = frames(stages.feature, image_width)

        def scale(channels: int) -> int:
            return max(1, round(channels * width))

        hidden, channels = scale(256), scale(512)
        self.transformation = nn.Identity()
        if stages.transformation == "TPS":
            localization = (scale(64), scale(128), scale(256), scale(512))
            self.transformation = TPS(image_height, image_width, localization, hidden)
        self.features = EXTRACTORS[stages.feature](scale)
        self.channels = channels  # of the extractor's frames
        self.sequence = nn.Identity()
        if stages.sequence != "None":
            self.sequence = SEQUENCES[stages.sequence](channels, hidden)
            channels = hidden
        self.head: nn.Linear | Attention | PARSeq
        if stages.prediction == "Attn":
            self.head = Attention(channels, hidden, classes)
        elif stages.prediction == "PARSeq":
            self.head = PARSeq(channels, hidden, classes, max_length + 1)
        else:
            linear = JamoCTC if stages.prediction == "JamoCTC" else nn.Linear
            self.head = linear(channels, classes)
        self.auxiliary: nn.Module | None = None  # training's own; see `add_auxiliary`
        self.auxiliary_frames = ""
        initialise(self)
        # In this layout convolutions and pooling are quickest.
        self.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]: torch's own gap

    def forward(
        self, images: Tensor, text: Tensor | None = None
    ) -> Tensor | tuple[Tensor, Tensor, Tensor | None]:
        """Images (B, 1, H, W) in [-1, 1] -> logits.

        CTC, JamoCTC: (B, frames, classes). Attn: (B, max_length + 1, classes); `text` (B,
        max_length + 1) int64 of ids that start with [GO] = 0 forces the teacher's characters, None
        decodes greedily and stops early once every row has said [s] = 1. PARSeq likewise, and in
        training the logits of all its orders, (B, orders * (max_length + 1), classes). In training
        with an auxiliary head (for Attn and PARSeq, given `text`): logits, the auxiliary head's
        (B, frames, its classes), and Attn's attention, (B, max_length + 1, frames), else None.
        Raises OcrkitError for images of another size than the model was made for.
        """
        if images.shape[1:] != (1, self.image_height, self.image_width):
            raise OcrkitError(
                f"{self.name} reads images of shape (batch, 1, {self.image_height}, "
                f"{self.image_width}), not {tuple(images.shape)}: resize them first"
            )
        visual = self.features(self.transformation(images))
        # (B, C, height, T): height is averaged away, then one row per frame.
        columns = visual.mean(dim=2).transpose(1, 2)
        context = self.sequence(columns)
        auxiliary = None
        if self.auxiliary is not None and self.training:
            auxiliary = self.auxiliary(columns if self.auxiliary_frames == "extractor" else context)
        if isinstance(self.head, nn.Linear):  # CTC, JamoCTC
            logits = self.head(context)
            return logits if auxiliary is None else (logits, auxiliary, None)
        steps = self.max_length + 1
        if text is None or auxiliary is None:
            return self.head(context, text, steps)
        if isinstance(self.head, PARSeq):
            return self.head(context, text, steps), auxiliary, None
        output = self.head.decode(context, text, steps)
        return output.logits, auxiliary, output.alpha

    def add_auxiliary(self, frames: str) -> bool:
        """A second head for training alone: CTC on the "extractor"'s or the "decoder"'s frames.

        A no-op where there is nothing to help: the head itself reads those frames by CTC.
        Returns whether there is one now.
        """
        if isinstance(self.head, nn.Linear):
            if frames == "decoder" or isinstance(self.sequence, nn.Identity):
                return False
            auxiliary = type(self.head)(self.channels, self.classes)
        else:  # CTC has a blank; a head that writes has [GO] and [s]
            inputs = self.head.inputs if frames == "decoder" else self.channels
            auxiliary = nn.Linear(inputs, self.classes - 1)
        nn.init.xavier_uniform_(auxiliary.weight)
        nn.init.zeros_(auxiliary.bias)
        self.auxiliary, self.auxiliary_frames = auxiliary, frames
        return True

    def stage_parameters(self) -> dict[str, int]:
        """Trainable parameters of each stage: transformation, feature, sequence, prediction."""
        stages = (self.transformation, self.features, self.sequence, self.head)
        counts = (sum(p.numel() for p in stage.parameters()) for stage in stages)
        return dict(zip(STAGES, counts, strict=True))


def initialise(model: nn.Module) -> None:
    """Start weights of the reference: Kaiming-normal, biases 0, norm weights 1.

    TPS's last layer is left alone: it already holds the fiducial points.
    """
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "localization.fc2" in name:
                continue
            if "bias" in name:
                parameter.zero_()
            elif parameter.dim() == 1:  # a norm's weight
                parameter.fill_(1)
            else:
                nn.init.kaiming_normal_(parameter)


def orthogonal_start(model: nn.Module) -> None:
    """Start weights for few steps; convolutions and TPS keep those of `initialise`.

    LSTMs: recurrent gates orthogonal (Saxe et al., 2014), input gates Xavier-uniform, forget bias 1
    (Jozefowicz et al., 2015). Linear layers: Xavier-uniform. Residual blocks begin as identities:
    the last norm's weight is 0 (Goyal et al., 2017).
    """
    for name, module in model.named_modules():
        if isinstance(module, nn.LSTM | nn.LSTMCell):
            _start_lstm(module)
        elif isinstance(module, nn.Linear) and "localization" not in name:
            nn.init.xavier_uniform_(module.weight)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
        elif isinstance(module, BasicBlock):
            nn.init.zeros_(module.bn2.weight)


@torch.no_grad()
def _start_lstm(lstm: nn.LSTM | nn.LSTMCell) -> None:
    for name, parameter in lstm.named_parameters():
        if "bias" in name:
            parameter.zero_()
            if "bias_ih" in name:
                parameter.chunk(4)[1].fill_(1)  # gates in torch's order: i, f, g, o
            continue
        start = nn.init.orthogonal_ if "weight_hh" in name else nn.init.xavier_uniform_
        for gate in parameter.chunk(4):
            start(gate)


def _check_sizes(
    classes: int, max_length: int, width_px: int, height_px: int, width: float
) -> None:
    if classes < 2:
        raise OcrkitError(f"classes = {classes}: a model needs the special class and a character")
    if max_length < 1:
        raise OcrkitError(f"max_length = {max_length}: a label holds at least one character")
    if height_px < 32 or width_px < 8:
        raise OcrkitError(
            f"images {width_px}x{height_px} (width x height) are too small: use 8x32 or more"
        )
    if not width > 0:
        raise OcrkitError(f"width = {width}: the multiplier of the layers must be above 0")
