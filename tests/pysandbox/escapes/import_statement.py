"""An import, as it would stand in any program."""
# guard: stops
import posix

prize = posix
