"""The largest numbers that are let in, from a command line or from a file.

Far beyond what anybody trains: a slip of the finger, or a damaged file, must not ask for all the
machine's memory.
"""

MAX_IMAGE_WIDTH, MAX_LENGTH, MAX_WIDTH = 8192, 1000, 4.0
MAX_CLASSES = 200_000
# torch takes larger seeds, and other libraries do not.
MAX_SEED = 2**32 - 1
