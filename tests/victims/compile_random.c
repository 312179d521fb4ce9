// Has the assembler copy a device that never ends into the program (T043).
__asm__(".incbin \"/dev/urandom\"");
int main(void) { return 0; }
