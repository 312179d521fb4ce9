"""What a guard keeps in a closure is read out of that."""
# guard: stops
def keep(secret):
    return lambda: secret


prize = keep("it").__closure__[0].cell_contents
