// Puts control sequences into what the compiler says (T182).
#error "[31mred]0;titlebell"
int main(void) { return 0; }
