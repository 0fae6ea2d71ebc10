"""Feature extraction: three convolutional networks turn an image into a row of vectors.

Each is 32 pixels high at its input and 1 at its output; `frames` says how many columns are left.
Where the papers write ReLU then max-pool, the code pools first: the larger of two numbers stays the
larger under ReLU, so the result is the same and ReLU has a quarter of the pixels to visit.
"""

from collections import OrderedDict
from collections.abc import Callable

from torch import Tensor, nn

from ocrkit.models.gated import GRCL

Scale = Callable[[int], int]
Sides = int | tuple[int, int]  # down and across


def conv_bn_relu(
    before: int, after: int, kernel: Sides = 3, padding: Sides = 1, stride: int = 1
) -> list[nn.Module]:
    """A bias-free convolution with its norm: the norm's shift makes a bias useless."""
    return [
        nn.Conv2d(before, after, kernel, stride, padding, bias=False),
        nn.BatchNorm2d(after),
        nn.ReLU(inplace=True),
    ]


def vgg(scale: Scale) -> nn.Sequential:
    """VGG as in CRNN: (B, 1, 32, W) -> (B, scale(512), 1, W // 4 - 1).

    Shi et al., "An End-to-End Trainable Neural Network for Image-based Sequence Recognition"
    (TPAMI 2017), table 1. The last pools halve the height alone: narrow letters keep their columns.
    """
    c1, c2, c3, c4 = scale(64), scale(128), scale(256), scale(512)
    return nn.Sequential(
        nn.Conv2d(1, c1, 3, padding=1),
        nn.MaxPool2d(2),
        nn.ReLU(inplace=True),
        nn.Conv2d(c1, c2, 3, padding=1),
        nn.MaxPool2d(2),
        nn.ReLU(inplace=True),
        nn.Conv2d(c2, c3, 3, padding=1),
        nn.ReLU(inplace=True),
        nn.Conv2d(c3, c3, 3, padding=1),
        nn.MaxPool2d((2, 1)),
        nn.ReLU(inplace=True),
        *conv_bn_relu(c3, c4),
        *conv_bn_relu(c4, c4)[:2],
        nn.MaxPool2d((2, 1)),
        nn.ReLU(inplace=True),
        nn.Conv2d(c4, c4, 2),
        nn.ReLU(inplace=True),
    )


def rcnn(scale: Scale) -> nn.Sequential:
    """Gated recurrent convolution: (B, 1, 32, W) -> (B, scale(512), 1, W // 4 + 1).

    Wang and Hu, "Gated Recurrent Convolution Neural Network for OCR" (NIPS 2017). The Korean paper
    calls it RCNN and describes region proposals; the layers that ran are these.
    """
    c1, c2, c3, c4 = scale(64), scale(128), scale(256), scale(512)
    return nn.Sequential(
        nn.Conv2d(1, c1, 3, padding=1),
        nn.MaxPool2d(2),
        nn.ReLU(inplace=True),
        GRCL(c1, c1),
        nn.MaxPool2d(2),
        GRCL(c1, c2),
        nn.MaxPool2d(2, stride=(2, 1), padding=(0, 1)),
        GRCL(c2, c3),
        nn.MaxPool2d(2, stride=(2, 1), padding=(0, 1)),
        *conv_bn_relu(c3, c4, kernel=2, padding=0),
    )


class BasicBlock(nn.Module):
    """Two 3x3 convolutions and a shortcut: (B, before, H, W) -> (B, after, H, W).

    He et al., "Deep Residual Learning for Image Recognition" (CVPR 2016), eq. 1-2.
    """

    def __init__(self, before: int, after: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(before, after, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(after)
        self.conv2 = nn.Conv2d(after, after, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(after)
        self.relu = nn.ReLU(inplace=True)
        self.downsample: nn.Module = nn.Identity()
        if before != after:
            self.downsample = nn.Sequential(
                nn.Conv2d(before, after, 1, bias=False), nn.BatchNorm2d(after)
            )

    def forward(self, x: Tensor) -> Tensor:
        """y = ReLU(F(x) + shortcut(x)), (B, before, H, W) -> (B, after, H, W)."""
        residual = self.bn2(self.conv2(self.relu(self.bn1(self.conv1(x)))))
        return self.relu(residual.add_(self.downsample(x)))


def resnet(scale: Scale) -> nn.Sequential:
    """ResNet with 29 weight layers: (B, 1, 32, W) -> (B, scale(512), 1, W // 4 + 1).

    Cheng et al., "Focusing Attention: Towards Accurate Text Recognition in Natural Images"
    (ICCV 2017), table 1. Layer names are those of the reference checkpoints.
    """
    c0, c1, c2, c3, c4 = scale(32), scale(64), scale(128), scale(256), scale(512)
    layers: OrderedDict[str, nn.Module] = OrderedDict()

    def conv(name: str, before: int, after: int, pool: nn.Module | None = None) -> None:
        layers[f"conv{name}"] = nn.Conv2d(before, after, 3, padding=1, bias=False)
        layers[f"bn{name}"] = nn.BatchNorm2d(after)
        if pool is not None:
            layers[f"pool{name}"] = pool
        layers[f"relu{name}"] = nn.ReLU(inplace=True)

    def blocks(stage: int, count: int, before: int, after: int) -> None:
        each = (BasicBlock(after if i else before, after) for i in range(count))
        layers[f"layer{stage}"] = nn.Sequential(*each)

    conv("0_1", 1, c0)
    conv("0_2", c0, c1, nn.MaxPool2d(2))
    blocks(1, 1, c1, c2)
    conv("1", c2, c2, nn.MaxPool2d(2))
    blocks(2, 2, c2, c3)
    conv("2", c3, c3, nn.MaxPool2d(2, stride=(2, 1), padding=(0, 1)))
    blocks(3, 5, c3, c4)
    conv("3", c4, c4)
    blocks(4, 3, c4, c4)
    for name, stride, padding in ("4_1", (2, 1), (0, 1)), ("4_2", (1, 1), (0, 0)):
        layers[f"conv{name}"] = nn.Conv2d(c4, c4, 2, stride, padding, bias=False)
        layers[f"bn{name}"] = nn.BatchNorm2d(c4)
        layers[f"relu{name}"] = nn.ReLU(inplace=True)
    return nn.Sequential(layers)


EXTRACTORS: dict[str, Callable[[Scale], nn.Sequential]] = {
    "VGG": vgg,
    "RCNN": rcnn,
    "ResNet": resnet,
}


def frames(feature: str, image_width: int) -> int:
    """Number of feature vectors T that an image `image_width` pixels wide becomes."""
    # VGG's last 2x2 convolution eats a column; the padded pools of the others add two first.
    return image_width // 4 + (-1 if feature == "VGG" else 1)
