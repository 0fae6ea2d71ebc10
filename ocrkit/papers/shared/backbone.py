"""The small network under the detectors, in place of VGG-16 or ResNet-50: scenes are 128 x 128."""

from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn import functional as F

from ocrkit.errors import OcrkitError
from ocrkit.models.features import conv_bn_relu


def conv(before: int, after: int, stride: int = 1) -> nn.Sequential:
    """A 3x3 convolution, its norm and a ReLU: (B, before, H, W) -> (B, after, H/s, W/s)."""
    return nn.Sequential(*conv_bn_relu(before, after, stride=stride))


class Stages(nn.ModuleList):
    """Bottom up: grey images (B, 1, H, W), -1 to 1, to a map at each stride 2, 4, 8, ...

    Map k is (B, channels[k], H / 2^(k+1), W / 2^(k+1)).
    Raises OcrkitError: H or W is no multiple of the last stride; maps would not lie on each other.
    """

    def __init__(self, channels: Sequence[int] = (16, 32, 64, 96)) -> None:
        before = (1, *channels[:-1])
        super().__init__(
            nn.Sequential(conv(b, c, stride=2), conv(c, c))
            for b, c in zip(before, channels, strict=True)
        )

    def forward(self, images: Tensor) -> list[Tensor]:
        (rows, columns), stride = images.shape[-2:], 2 ** len(self)
        if rows % stride or columns % stride:
            raise OcrkitError(f"{rows} x {columns} is no multiple of {stride}: pad the image")
        maps = [images]
        for stage in self:
            maps.append(stage(maps[-1]))
        return maps[1:]


class Backbone(nn.Module):
    """Grey images (B, 1, H, W), -1 to 1, to one map (B, `out`, H/4, W/4).

    Coarse maps are doubled and added to finer ones (Lin et al., "Feature Pyramid Networks for
    Object Detection", CVPR 2017, section 3).

    channels: of the stages at strides 2, 4, 8, 16 and, if more are given, 32 and so on.
    out: channels of the merged map.
    Raises OcrkitError: as `Stages`.
    """

    def __init__(self, channels: Sequence[int] = (16, 32, 64, 96), out: int = 32) -> None:
        super().__init__()
        self.stages = Stages(channels)
        self.lateral = nn.ModuleList(nn.Conv2d(c, out, 1) for c in channels[1:])
        self.merge = nn.ModuleList(conv(out, out) for _ in channels[2:])

    def forward(self, images: Tensor) -> Tensor:
        finer = [at(x) for at, x in zip(self.lateral, self.stages(images)[1:], strict=True)]
        merged = finer.pop()
        for merge in self.merge:
            merged = merge(F.interpolate(merged, scale_factor=2.0, mode="nearest") + finer.pop())
        return merged
