"""An error's traceback has frames, and those have their callers' names."""
# guard: stops
try:
    1 / 0
except ZeroDivisionError as error:
    prize = error.__traceback__.tb_frame.f_builtins["open"]
