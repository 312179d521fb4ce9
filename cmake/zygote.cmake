# The zygote's library: what is preloaded into a stock interpreter, with the code that makes cells. It
# is a shared object for a foreign process, so nothing of the project's sanitizers goes into it, and it
# brings its C++ library along.
set(BELLJAR_ZYGOTE_LIBRARY ${CMAKE_BINARY_DIR}/zygote.so)
add_library(belljar_zygote SHARED
  src/zygote/zygote.cpp src/zygote/python.cpp
  src/base/bundle.cpp src/base/check.cpp src/base/result.cpp src/base/sys.cpp src/base/text.cpp src/base/units.cpp
  src/model/policy.cpp src/model/submission.cpp src/model/wall.cpp
  src/cell/enter.cpp src/cell/enter_identity.cpp src/cell/enter_locks.cpp src/cell/enter_mounts.cpp
  src/cell/enter_processes.cpp src/cell/handover.cpp src/cell/host.cpp src/cell/init_image.cpp src/cell/plan.cpp
  src/cell/seccomp.cpp src/cell/spec.cpp)
target_include_directories(belljar_zygote PRIVATE src)
target_compile_definitions(belljar_zygote PRIVATE _GNU_SOURCE)
target_compile_options(belljar_zygote PRIVATE -O2 -fPIC -fvisibility=hidden -fvisibility-inlines-hidden
  -ffunction-sections -fdata-sections -Wall -Wextra -Werror -Wno-missing-designated-field-initializers -Wno-c23-extensions
  -fstack-protector-strong -ftrivial-auto-var-init=zero)
target_link_options(belljar_zygote PRIVATE -fuse-ld=lld -static-libstdc++ -static-libgcc
  -Wl,--exclude-libs,ALL -Wl,-Bsymbolic -Wl,--gc-sections -Wl,--strip-all -Wl,-z,relro,-z,now)
set_target_properties(belljar_zygote PROPERTIES PREFIX "" OUTPUT_NAME zygote LIBRARY_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR})
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
