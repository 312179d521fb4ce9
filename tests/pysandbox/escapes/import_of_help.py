"""help() imports pydoc, and that imports everything."""
# guard: stops
help("nothing of that name")
prize = "pydoc"
