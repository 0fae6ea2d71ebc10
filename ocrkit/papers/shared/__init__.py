"""What several papers share: geometry, scenes and words, metrics, the backbone, the studies."""
