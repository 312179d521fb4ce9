"""A metaclass of one's own brings the members of type along."""
# guard: stops
Meta = type("Meta", (type,), {})
Class = Meta("Class", (), {})
prize = Meta.__subclasses__(Class)
