"""Shadows a module of the language: whoever imports this ran in the submission's folder (T071)."""

import sys

sys.stderr.write("poisoned import\n")
