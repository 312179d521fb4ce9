import os
import tempfile

with tempfile.NamedTemporaryFile("w+") as one, tempfile.NamedTemporaryFile() as other:
    one.write("hello")
    one.flush()
    with open(one.name) as reader:
        print("wrote and read back", len(reader.read()), "bytes")
    if one.name != other.name:
        print("two names differ")
    name = one.name
if not os.path.exists(name):
    print("gone after removal")
