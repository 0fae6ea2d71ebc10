"""The 24 recognisers: TPS, three extractors, BiLSTM, CTC and attention."""

from ocrkit.models.checkpoints import load_checkpoint, save_checkpoint
from ocrkit.models.recognizer import (
    MODEL_NAMES,
    STAGES,
    ModelName,
    Recognizer,
    initialise,
    orthogonal_start,
    parse_name,
)
from ocrkit.models.reference import load_reference

__all__ = ["MODEL_NAMES", "STAGES", "ModelName", "Recognizer", "initialise", "load_checkpoint"]
__all__ += ["load_reference", "orthogonal_start", "parse_name", "save_checkpoint"]
