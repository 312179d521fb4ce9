// Includes a file of the host, so that the compiler's complaints would show it (T044).
#include "{secret}"
int main(void) { return 0; }
