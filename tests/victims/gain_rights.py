"""Looks for set-id programs and runs one; looks at the flags of every mount (T061)."""

import os
import re
import stat
import subprocess

from attempt import attempt, say

found = [
    path
    for path in ("/usr/bin/su", "/usr/bin/mount", "/usr/bin/passwd", "/usr/bin/newgrp")
    if os.path.exists(path) and os.stat(path).st_mode & stat.S_ISUID
]
say(f"set-uid programs: {'some' if found else 'none'}")
with open("/proc/self/mountinfo") as file:
    for line in file:
        fields = line.split()
        if "nosuid" not in fields[5].split(","):
            say(f"mount with suid: {fields[4]}")
        if "nodev" not in fields[5].split(","):
            say(f"mount with dev: {fields[4]}")
status = open("/proc/self/status").read()
say("NoNewPrivs: " + re.search(r"NoNewPrivs:\s+(\d)", status)[1])
uid = os.getuid()
say(f"ids are one: {os.getresuid() == (uid,) * 3}, root: {uid == 0}")
own = "./own-id"
with open("/usr/bin/id", "rb") as source, open(own, "wb") as copy:
    copy.write(source.read())
os.chmod(own, 0o6755)
done = subprocess.run([own, "-u"], capture_output=True, text=True)
say(f"own set-uid copy runs as itself: {done.stdout.strip() == str(uid)}")
attempt("setuid 0", os.setuid, 0)
attempt("setgid 0", os.setgid, 0)
attempt("setgroups", os.setgroups, [0])
