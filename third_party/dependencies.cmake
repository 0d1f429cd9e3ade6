# Everything we depend on, found in the system (Debian 12 packages; see third_party/README.md for versions and licences).
find_package(Threads REQUIRED)
find_package(OpenMP REQUIRED COMPONENTS CXX)
find_package(fmt 9 REQUIRED)
find_package(CLI11 2.1 REQUIRED)
find_package(tomlplusplus REQUIRED)
find_package(nlohmann_json 3.11 REQUIRED)
find_package(PNG REQUIRED)
find_package(ZLIB REQUIRED)
find_package(dnnl REQUIRED)

find_package(HDF5 REQUIRED COMPONENTS C)
add_library(ipa_hdf5 INTERFACE)
target_include_directories(ipa_hdf5 SYSTEM INTERFACE ${HDF5_C_INCLUDE_DIRS})
target_link_libraries(ipa_hdf5 INTERFACE ${HDF5_C_LIBRARIES})
# ipamedgan writes files that HDF5 1.10 and later can read.
target_compile_definitions(ipa_hdf5 INTERFACE H5_USE_110_API)

find_path(XXHASH_INCLUDE_DIR xxhash.h REQUIRED)
find_library(XXHASH_LIBRARY xxhash REQUIRED)
add_library(ipa_xxhash INTERFACE)
target_include_directories(ipa_xxhash SYSTEM INTERFACE ${XXHASH_INCLUDE_DIR})
target_link_libraries(ipa_xxhash INTERFACE ${XXHASH_LIBRARY})

if(IPA_TESTS)
  find_package(Catch2 2.13 REQUIRED)
endif()
