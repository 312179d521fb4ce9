# The session drivers, which src/engine/session_driver.cpp embeds. The compiler does not tell what
# #embed reads, so its digest is part of the command.
set(session_python ${CMAKE_SOURCE_DIR}/runtimes/sessions/python.py)
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${session_python})
file(SHA256 ${session_python} session_python_digest)
set_source_files_properties(${CMAKE_SOURCE_DIR}/src/engine/session_driver.cpp PROPERTIES
  COMPILE_DEFINITIONS "BELLJAR_SESSION_PYTHON=\"${session_python_digest}\"")
