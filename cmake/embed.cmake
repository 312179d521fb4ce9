# Build-time tools and what they generate: compiled seccomp profiles, embedded manifests, the
# cell's init. Each generator lives in tools/ and writes one .inc file into the build tree.
