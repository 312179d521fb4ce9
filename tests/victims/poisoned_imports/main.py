"""Runs among modules that shadow those of the language: only this program may be fooled (T071)."""

print("attempt main: ok")
