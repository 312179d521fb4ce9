"""Runs among modules that shadow those of the language: only this program may be fooled (T071)."""

import json

assert not hasattr(json, "loads")
print("attempt main: ok")
