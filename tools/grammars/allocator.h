/* Included before each grammar's scanner: some allocate from the C library, whatever the runtime
 * was told to use, and would leak where src/screen/arena.h ends a parse in its middle. */
#ifndef BELLJAR_GRAMMARS_ALLOCATOR_H
#define BELLJAR_GRAMMARS_ALLOCATOR_H

#include <stdlib.h>

extern void* (*ts_current_malloc)(size_t size);
extern void* (*ts_current_calloc)(size_t count, size_t size);
extern void* (*ts_current_realloc)(void* pointer, size_t size);
extern void (*ts_current_free)(void* pointer);

#define malloc(size) ts_current_malloc(size)
#define calloc(count, size) ts_current_calloc(count, size)
#define realloc(pointer, size) ts_current_realloc(pointer, size)
#define free(pointer) ts_current_free(pointer)

#endif
