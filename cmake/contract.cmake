# generated/contract.inc: the text of api/openapi.yaml, which the service shows at /openapi.yaml.
set(contract_file ${CMAKE_SOURCE_DIR}/api/openapi.yaml)
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${contract_file})
file(READ ${contract_file} contract_text)
# A compiler need not take a literal of more than 64 KiB.
string(LENGTH "${contract_text}" contract_length)
set(contract_inc "inline constexpr char kContract[] =\n")
set(contract_at 0)
while(contract_at LESS contract_length)
  string(SUBSTRING "${contract_text}" ${contract_at} 8000 piece)
  string(APPEND contract_inc "R\"yaml(${piece})yaml\"\n")
  math(EXPR contract_at "${contract_at} + 8000")
endwhile()
file(CONFIGURE OUTPUT ${CMAKE_BINARY_DIR}/include/generated/contract.inc CONTENT "${contract_inc};\n" @ONLY)

# The viewer of the contract, which src/api/pages.cpp embeds.
set(BELLJAR_PAGES ${CMAKE_SOURCE_DIR}/build/pages/node_modules CACHE PATH "Where the npm packages of tools/pages are")
if(NOT EXISTS ${BELLJAR_PAGES}/swagger-ui-dist/swagger-ui-bundle.js)
  message(FATAL_ERROR "${BELLJAR_PAGES} has no swagger-ui-dist; ./dev build installs it")
endif()
set_source_files_properties(${CMAKE_SOURCE_DIR}/src/api/pages.cpp PROPERTIES
  OBJECT_DEPENDS ${CMAKE_SOURCE_DIR}/tools/pages/package-lock.json)
