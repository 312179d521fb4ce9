"""The descriptor is taken out of the type's own dict."""
# guard: stops
prize = vars(type(lambda: 0))["__globals__"].__get__(lambda: 0)
