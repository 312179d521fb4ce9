# What an interpreter that waits in a parked cell is given. See belljar_foreign_options.
set(parked_sources
  src/base/bundle.cpp src/base/check.cpp src/base/result.cpp src/base/sys.cpp src/base/text.cpp src/base/units.cpp
  src/model/policy.cpp src/model/submission.cpp src/model/wall.cpp
  src/cell/enter_mounts.cpp src/cell/handover.cpp src/cell/spec.cpp)

add_library(belljar_parked_node SHARED src/parked/node.cpp ${parked_sources})
belljar_foreign_options(belljar_parked_node parked_node)
set_target_properties(belljar_parked_node PROPERTIES SUFFIX ".so")

# libjvm.so comes with the JDK that it is to run: no other C library than the host's will do.
add_executable(belljar_parked_java src/parked/java.cpp ${parked_sources})
belljar_foreign_options(belljar_parked_java parked_java)

set(parked_files
  BELLJAR_NODE_LIBRARY ${CMAKE_BINARY_DIR}/parked_node.so
  BELLJAR_NODE_SCRIPT ${CMAKE_SOURCE_DIR}/src/parked/node.js
  BELLJAR_JAVA_LAUNCHER ${CMAKE_BINARY_DIR}/parked_java
  BELLJAR_JAVA_REHEARSAL ${CMAKE_SOURCE_DIR}/src/parked/Rehearsal.java)
while(parked_files)
  list(POP_FRONT parked_files name path)
  set_property(SOURCE src/warden/parked_interpreter.cpp APPEND PROPERTY COMPILE_DEFINITIONS "${name}=\"${path}\"")
  set_property(SOURCE src/warden/parked_interpreter.cpp APPEND PROPERTY OBJECT_DEPENDS ${path})
endwhile()
