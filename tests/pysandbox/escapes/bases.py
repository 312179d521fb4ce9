"""Up a class by its bases."""
# guard: stops
prize = bool.__bases__[0]
