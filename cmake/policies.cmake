# Policies become part of the program. Writes generated/NAME.inc: one {name, text} pair for each
# .toml file of a folder, sorted by name.
function(embed_policies name folder)
  file(GLOB files CONFIGURE_DEPENDS ${folder}/*.toml)
  list(SORT files)
  set(pairs "")
  foreach(file IN LISTS files)
    cmake_path(GET file STEM stem)
    file(READ ${file} text)
    string(APPEND pairs "{\"${stem}\", R\"policy(${text})policy\"},\n")
  endforeach()
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${files})

  # Written only when it differs, so that a configure run alone rebuilds nothing.
  set(output ${CMAKE_BINARY_DIR}/include/generated/${name}.inc)
  set(before "")
  if(EXISTS ${output})
    file(READ ${output} before)
  endif()
  if(NOT before STREQUAL pairs)
    file(WRITE ${output} "${pairs}")
  endif()
endfunction()

embed_policies(policies ${CMAKE_SOURCE_DIR}/policies)
embed_policies(screening ${CMAKE_SOURCE_DIR}/policies/screening)
target_include_directories(belljar_options INTERFACE ${CMAKE_BINARY_DIR}/include)
