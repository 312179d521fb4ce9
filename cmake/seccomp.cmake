# The system-call policies, compiled at build time into arrays that src/cell/seccomp.cpp and
# the cell's init include.
file(GLOB syscall_policies CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/policies/syscalls/*.toml)
set(syscall_programs ${CMAKE_BINARY_DIR}/generated/seccomp/syscall_programs.inc)

set(init_filter ${CMAKE_BINARY_DIR}/generated/seccomp/init_filter.inc)

add_library(syscall_policy STATIC
  tools/syscall_constants.cpp
  tools/syscall_policy.cpp
  tools/syscall_program.cpp)
target_link_libraries(syscall_policy PUBLIC belljar_base PkgConfig::SECCOMP)
add_executable(compile_syscalls tools/compile_syscalls.cpp)
target_link_libraries(compile_syscalls PRIVATE syscall_policy)
add_executable(syscall_policy_test tools/syscall_policy_test.cpp)
target_link_libraries(syscall_policy_test PRIVATE syscall_policy GTest::gtest_main)
add_test(NAME unit/syscall_policy COMMAND syscall_policy_test)

file(MAKE_DIRECTORY ${CMAKE_BINARY_DIR}/generated/seccomp)
add_custom_command(
  OUTPUT ${syscall_programs} ${init_filter}
  COMMAND compile_syscalls ${syscall_programs} ${init_filter} ${syscall_policies}
  DEPENDS compile_syscalls ${syscall_policies}
  COMMENT "Compiling the system-call policies"
  VERBATIM)
add_custom_target(syscall_programs DEPENDS ${syscall_programs})

set_source_files_properties(src/cell/seccomp.cpp PROPERTIES OBJECT_DEPENDS ${syscall_programs})
# The folder's target is made further down in CMakeLists.txt.
cmake_language(DEFER CALL target_include_directories belljar_cell PRIVATE ${CMAKE_BINARY_DIR}/generated/seccomp)
# This test reads the same files, with a reader of its own.
set_source_files_properties(src/cell/seccomp_policy_test.cpp PROPERTIES
  COMPILE_DEFINITIONS BELLJAR_SYSCALL_POLICIES="${CMAKE_SOURCE_DIR}/policies/syscalls")
