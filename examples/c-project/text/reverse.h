#ifndef TEXT_REVERSE_H
#define TEXT_REVERSE_H

/* Reverses the bytes of a line in place; a newline at its end stays there. */
void reverse_line(char *line);

#endif
