# The guards, which src/engine/guard.cpp embeds. The compiler does not tell what #embed reads, so its
# digest is part of the command.
set(guard_namekeeper ${CMAKE_SOURCE_DIR}/runtimes/guards/namekeeper.py)
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${guard_namekeeper})
file(SHA256 ${guard_namekeeper} guard_namekeeper_digest)
set_source_files_properties(${CMAKE_SOURCE_DIR}/src/engine/guard.cpp PROPERTIES
  COMPILE_DEFINITIONS "BELLJAR_GUARD_NAMEKEEPER=\"${guard_namekeeper_digest}\"")
