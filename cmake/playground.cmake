# The playground as `./dev build` made it from web/, which src/api/playground_files.cpp embeds.
set(BELLJAR_WEB ${CMAKE_SOURCE_DIR}/build/web/dist CACHE PATH "Where the playground's files are")
if(NOT EXISTS ${BELLJAR_WEB}/include/generated/playground.inc)
  message(FATAL_ERROR "${BELLJAR_WEB} has no playground; ./dev build makes it")
endif()
