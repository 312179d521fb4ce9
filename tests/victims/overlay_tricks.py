"""Plays with what an overlay file system keeps in attributes and odd files (T069)."""

import os
import stat

from attempt import attempt, syscall

os.mkdir("upper")
attempt("trusted opaque", os.setxattr, "upper", "trusted.overlay.opaque", b"y")
attempt("trusted redirect", os.setxattr, "upper", "trusted.overlay.redirect", b"/etc")
attempt("security", os.setxattr, "upper", "security.belljar", b"x")
attempt("whiteout", os.mknod, "upper/gone", stat.S_IFCHR, os.makedev(0, 0))
attempt("mount", syscall, 165, b"overlay", b"/box/upper", b"overlay", 0, b"lowerdir=/etc:/usr")
attempt("fsopen", syscall, 430, b"overlay", 0)
attempt("hide a program", os.unlink, "/usr/bin/env")
attempt("opaque root", os.setxattr, "/usr", "user.overlay.opaque", b"y")
