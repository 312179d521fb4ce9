# The playground as `./dev build` made it from web/, which src/api/playground_files.cpp embeds.
set(BELLJAR_WEB ${CMAKE_SOURCE_DIR}/build/web CACHE PATH "Where the playground was made")
if(NOT EXISTS ${BELLJAR_WEB}/dist/include/generated/playground.inc)
  message(FATAL_ERROR "${BELLJAR_WEB} has no playground; ./dev build makes it")
endif()
