# The session drivers, which src/engine/session_driver.cpp embeds. The compiler does not tell what
# #embed reads, so their digests are part of the command.
foreach(file python.py node.js)
  set(path ${CMAKE_SOURCE_DIR}/runtimes/sessions/${file})
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${path})
  file(SHA256 ${path} digest)
  string(APPEND session_digests ${digest})
endforeach()
set_source_files_properties(${CMAKE_SOURCE_DIR}/src/engine/session_driver.cpp PROPERTIES
  COMPILE_DEFINITIONS "BELLJAR_SESSION_DRIVERS=\"${session_digests}\"")
