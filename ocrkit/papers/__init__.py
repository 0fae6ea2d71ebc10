"""The papers of the reading list, each as a small, trainable version of its idea."""
