// Sixteen gigabytes of program from one line of source (T043).
main[-1u] = {1};
