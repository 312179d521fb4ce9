"""Recurses for ever (T039)."""


def deeper(depth):
    return deeper(depth + 1) + 1


deeper(0)
