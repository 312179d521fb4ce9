# The cell's init: one freestanding static program, built without the project's flags because it
# has no library below it, and embedded in the cell library.
set(BELLJAR_INIT_IMAGE ${CMAKE_BINARY_DIR}/cell-init)
add_custom_command(
  OUTPUT ${BELLJAR_INIT_IMAGE}
  COMMAND ${CMAKE_CXX_COMPILER} -std=c++23 -D_GNU_SOURCE -O2 -ffreestanding -fno-exceptions -fno-rtti
          -fno-stack-protector -fno-threadsafe-statics -ffunction-sections -Wall -Wextra -Wconversion -Werror
          -nostdlib -static -fuse-ld=lld -Wl,--gc-sections -Wl,--strip-all
          -I${CMAKE_SOURCE_DIR}/src -I${CMAKE_BINARY_DIR}/generated/seccomp -o ${BELLJAR_INIT_IMAGE} ${CMAKE_SOURCE_DIR}/src/cell/init_main.cpp
  DEPENDS ${CMAKE_SOURCE_DIR}/src/cell/init_main.cpp ${CMAKE_SOURCE_DIR}/src/cell/init_protocol.h
          ${CMAKE_SOURCE_DIR}/src/cell/file_request.h
          ${CMAKE_SOURCE_DIR}/src/cell/enter_report.h ${CMAKE_SOURCE_DIR}/src/cell/secure_bits.h ${init_filter}
          ${CMAKE_SOURCE_DIR}/src/base/glob.h ${CMAKE_SOURCE_DIR}/src/base/bundle_format.h
  COMMENT "Building the cell's init"
  VERBATIM)
set_source_files_properties(${CMAKE_SOURCE_DIR}/src/cell/init_image.cpp PROPERTIES
  COMPILE_DEFINITIONS "BELLJAR_INIT_IMAGE=\"${BELLJAR_INIT_IMAGE}\""
  OBJECT_DEPENDS ${BELLJAR_INIT_IMAGE})
