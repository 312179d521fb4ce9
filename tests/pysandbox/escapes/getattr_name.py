"""The member's name is put together while the program runs."""
# guard: stops
prize = getattr(lambda: 0, "__glo" + "bals__")
