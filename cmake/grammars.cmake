# The parsers that screening is built with: tree-sitter's runtime and one grammar per language,
# compiled from the sources that `./dev build` installs as tools/grammars/package-lock.json pins
# them. Debian's libtree-sitter 0.20.7 will not do: a node with 65536 children, which takes 64 KiB
# of parentheses, makes it free what it never allocated.
set(BELLJAR_GRAMMARS ${CMAKE_SOURCE_DIR}/build/grammars/node_modules CACHE PATH
  "Where the npm packages of tools/grammars are")
if(NOT EXISTS ${BELLJAR_GRAMMARS}/tree-sitter/vendor/tree-sitter/lib/src/lib.c)
  message(FATAL_ERROR "${BELLJAR_GRAMMARS} has no grammars; ./dev build installs them")
endif()

set(tree_sitter ${BELLJAR_GRAMMARS}/tree-sitter/vendor/tree-sitter/lib)
set(grammar_sources ${tree_sitter}/src/lib.c)
set(grammar_lock ${CMAKE_SOURCE_DIR}/tools/grammars/package-lock.json)
foreach(language c cpp java javascript python)
  set(folder ${BELLJAR_GRAMMARS}/tree-sitter-${language}/src)
  file(GLOB sources ${folder}/parser.c ${folder}/scanner.c)
  set_source_files_properties(${sources} PROPERTIES INCLUDE_DIRECTORIES ${folder})
  set_source_files_properties(${folder}/scanner.c PROPERTIES
    COMPILE_OPTIONS "-include;${CMAKE_SOURCE_DIR}/tools/grammars/allocator.h")
  list(APPEND grammar_sources ${sources})
endforeach()
# npm gives files the date of their release, which never looks newer than an object file.
set_source_files_properties(${grammar_sources} PROPERTIES OBJECT_DEPENDS ${grammar_lock})

add_library(belljar_grammars STATIC ${grammar_sources})
target_include_directories(belljar_grammars SYSTEM PUBLIC ${tree_sitter}/include
  PRIVATE ${tree_sitter}/src)
# Generated tables and switches: -O1 is as fast as -O2 and compiles sooner. The scanners allocate
# as the runtime does, so that src/screen/arena.h bounds both.
target_compile_options(belljar_grammars PRIVATE -w -O1 -std=c11 -fstack-protector-strong
  -fcf-protection)
target_compile_definitions(belljar_grammars PRIVATE TREE_SITTER_REUSE_ALLOCATOR _GNU_SOURCE)
