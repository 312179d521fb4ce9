# What src/api/system_handlers.cpp embeds: the contract, which the service shows at /openapi.yaml. The
# compiler does not tell what #embed reads, so its digest is part of the command.
set(contract_file ${CMAKE_SOURCE_DIR}/api/openapi.yaml)
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${contract_file})
file(SHA256 ${contract_file} contract_digest)
set_source_files_properties(${CMAKE_SOURCE_DIR}/src/api/system_handlers.cpp PROPERTIES
  COMPILE_DEFINITIONS "BELLJAR_CONTRACT=\"${contract_digest}\"")

# The viewer of the contract, which src/api/pages.cpp embeds.
set(BELLJAR_PAGES ${CMAKE_SOURCE_DIR}/build/pages/node_modules CACHE PATH "Where the npm packages of tools/pages are")
if(NOT EXISTS ${BELLJAR_PAGES}/swagger-ui-dist/swagger-ui-bundle.js)
  message(FATAL_ERROR "${BELLJAR_PAGES} has no swagger-ui-dist; ./dev build installs it")
endif()
set_source_files_properties(${CMAKE_SOURCE_DIR}/src/api/pages.cpp PROPERTIES
  OBJECT_DEPENDS ${CMAKE_SOURCE_DIR}/tools/pages/package-lock.json)
