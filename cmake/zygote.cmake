# For what becomes part of a foreign process: nothing of the project's sanitizers goes into it, and it
# brings its C++ library along. It stands in the build tree as `output`.
function(belljar_foreign_options name output)
  target_include_directories(${name} PRIVATE src)
  target_compile_definitions(${name} PRIVATE _GNU_SOURCE)
  target_compile_options(${name} PRIVATE -O2 -fPIC -fvisibility=hidden -fvisibility-inlines-hidden
    -ffunction-sections -fdata-sections -Wall -Wextra -Werror -Wno-missing-designated-field-initializers -Wno-c23-extensions
    -fstack-protector-strong -ftrivial-auto-var-init=zero)
  target_link_options(${name} PRIVATE -fuse-ld=lld -static-libstdc++ -static-libgcc
    -Wl,--exclude-libs,ALL -Wl,-Bsymbolic -Wl,--gc-sections -Wl,--strip-all -Wl,-z,relro,-z,now)
  set_target_properties(${name} PROPERTIES PREFIX "" OUTPUT_NAME ${output}
    LIBRARY_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR} RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR})
endfunction()

# The zygote's library: what is preloaded into a stock interpreter, with the code that makes cells.
set(BELLJAR_ZYGOTE_LIBRARY ${CMAKE_BINARY_DIR}/zygote.so)
add_library(belljar_zygote SHARED
  src/zygote/zygote.cpp src/zygote/python.cpp
  src/base/bundle.cpp src/base/check.cpp src/base/result.cpp src/base/sys.cpp src/base/text.cpp src/base/units.cpp
  src/model/policy.cpp src/model/submission.cpp src/model/wall.cpp
  src/cell/enter.cpp src/cell/enter_identity.cpp src/cell/enter_locks.cpp src/cell/enter_mounts.cpp
  src/cell/enter_processes.cpp src/cell/handover.cpp src/cell/host.cpp src/cell/init_image.cpp src/cell/plan.cpp
  src/cell/seccomp.cpp src/cell/spec.cpp)
belljar_foreign_options(belljar_zygote zygote)
target_include_directories(belljar_zygote PRIVATE ${CMAKE_BINARY_DIR}/generated/seccomp)
add_dependencies(belljar_zygote syscall_programs)
set_source_files_properties(${CMAKE_SOURCE_DIR}/src/warden/zygote_library.cpp PROPERTIES
  COMPILE_DEFINITIONS "BELLJAR_ZYGOTE_LIBRARY=\"${BELLJAR_ZYGOTE_LIBRARY}\""
  OBJECT_DEPENDS ${BELLJAR_ZYGOTE_LIBRARY})
# The compiler does not tell what #embed reads, so its digest is part of the command.
set(zygote_prelude ${CMAKE_SOURCE_DIR}/src/zygote/prelude.py)
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${zygote_prelude})
file(SHA256 ${zygote_prelude} zygote_prelude_digest)
set_source_files_properties(${CMAKE_SOURCE_DIR}/src/zygote/python.cpp PROPERTIES
  COMPILE_DEFINITIONS "BELLJAR_PRELUDE=\"${zygote_prelude_digest}\"")
