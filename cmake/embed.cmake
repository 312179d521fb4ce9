# Build-time tools and what they generate: compiled seccomp profiles, embedded manifests, the
# cell's init. Each generator lives in tools/ and writes one .inc file into the build tree.

# generated/runtimes.inc: the text of every runtimes/*.toml and an index of names and extensions.
file(GLOB runtime_manifests CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/runtimes/*.toml)
file(GLOB runtime_examples CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/examples/[hH]ello.*)
set(runtimes_inc ${CMAKE_BINARY_DIR}/include/generated/runtimes.inc)
file(MAKE_DIRECTORY ${CMAKE_BINARY_DIR}/include/generated)

add_executable(embed_runtimes tools/embed_runtimes.cpp src/runtime/manifest.cpp
  src/runtime/template.cpp)
target_link_libraries(embed_runtimes PRIVATE belljar_model)
add_custom_command(
  OUTPUT ${runtimes_inc}
  COMMAND embed_runtimes ${runtimes_inc} ${CMAKE_SOURCE_DIR}/examples ${runtime_manifests}
  DEPENDS embed_runtimes ${runtime_manifests} ${runtime_examples}
  COMMENT "Checking and embedding the runtimes"
  VERBATIM)
# The folder's target is made further down in CMakeLists.txt.
cmake_language(DEFER CALL target_sources belljar_runtime PRIVATE ${runtimes_inc})
cmake_language(DEFER CALL target_include_directories belljar_runtime PRIVATE ${CMAKE_BINARY_DIR}/include)
