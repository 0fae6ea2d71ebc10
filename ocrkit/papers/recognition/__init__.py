"""What a word image says: CTC and CRNN, GRCNN, attention and FAN, MORAN, ASTER."""
