// Has the assembler copy a file of the host into the program, which would print it (T044).
#include <stdio.h>
__asm__("secret: .incbin \"{secret}\"\n.byte 0\n");
extern const char secret[];
int main(void) { return puts(secret) < 0; }
