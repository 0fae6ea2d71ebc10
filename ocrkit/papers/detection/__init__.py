"""Where text stands in a scene: TextBoxes, PixelLink, CRAFT and EAST."""
