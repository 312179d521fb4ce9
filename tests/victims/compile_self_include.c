// Includes itself twice, as deep as the compiler lets it (T043).
#include __FILE__
#include __FILE__
int main(void) { return 0; }
