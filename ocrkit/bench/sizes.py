"""The two sizes that models are measured at."""

from dataclasses import dataclass

from ocrkit.models import Recognizer


@dataclass(frozen=True)
class Size:
    """How large images and models are.

    Attributes:
        name: what tables call it.
        batch: images a batch.
        resnet_batch: the same for models with ResNet, which takes seven times the arithmetic.
        image_width: pixels; the height is 32.
        width: multiplier of the layers' channels.
        characters: of the charset; CTC has one class more, attention two.
        max_length: characters that attention may write; labels have half as many.
    """

    name: str
    batch: int
    resnet_batch: int
    image_width: int
    width: float
    characters: int
    max_length: int

    def model(self, name: str) -> Recognizer:
        """A model of the grid in this size."""
        return Recognizer(
            name,
            classes=self.characters + (1 if name.endswith("CTC") else 2),
            max_length=self.max_length,
            image_width=self.image_width,
            width=self.width,
        )


PAPER = Size("paper", 16, 4, 400, 1.0, 972, 50)
MINI = Size("mini", 16, 16, 64, 0.25, 80, 4)
