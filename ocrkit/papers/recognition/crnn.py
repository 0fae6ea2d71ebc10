"""CRNN: convolutions, a BiLSTM and CTC in one network, trained together.

Shi, Bai and Yao, "An End-to-End Trainable Neural Network for Image-based Sequence Recognition"
(TPAMI 2017). It is a member of the grid: None-VGG-BiLSTM-CTC. Notebook 20 writes CTC by hand.
"""

from functools import partial

from ocrkit.papers.recognition.word_readers import CTC_RECIPE, ctc_study, grid_reader

STUDIES = {"crnn": ctc_study("crnn", partial(grid_reader, "None-VGG-BiLSTM-CTC"), CTC_RECIPE)}
