// Includes a file that never ends (T043).
#include "/dev/zero"
int main(void) { return 0; }
