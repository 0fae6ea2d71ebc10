"""From image files to tensors ready to train on."""
