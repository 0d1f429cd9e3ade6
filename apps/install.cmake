# What `cmake --install` puts below its prefix. The component `bundle`, which is installed only when asked for, adds the
# libraries that are not the C library's, so that the folder can be moved to another machine (scripts/package).
include(GNUInstallDirs)

# Without the component this folder is not there and the system's libraries are taken. DT_RPATH rather than DT_RUNPATH,
# because it also holds for the libraries that the libraries need.
set_target_properties(ipamedgan PROPERTIES INSTALL_RPATH "$ORIGIN/../lib/ipamedgan")
target_link_options(ipamedgan PRIVATE LINKER:--disable-new-dtags)

install(TARGETS ipamedgan DESTINATION bin)
if(IPA_HAS_MPI)
  install(TARGETS ipamedgan_mpi DESTINATION lib/ipamedgan)
endif()
install(FILES ${presets} DESTINATION share/ipamedgan/presets)  # to start from; the program has them built in
install(PROGRAMS ${CMAKE_SOURCE_DIR}/scripts/get-vgg19 DESTINATION share/ipamedgan/scripts)
install(FILES ${CMAKE_SOURCE_DIR}/README.md ${CMAKE_SOURCE_DIR}/LICENSE DESTINATION share/doc/ipamedgan)
install(FILES ${CMAKE_SOURCE_DIR}/third_party/README.md DESTINATION share/doc/ipamedgan/third_party)
install(DIRECTORY ${CMAKE_SOURCE_DIR}/docs DESTINATION share/doc/ipamedgan)
install(CODE "set(ipa_program \"$<TARGET_FILE:ipamedgan>\")" COMPONENT bundle EXCLUDE_FROM_ALL)
install(SCRIPT bundle.cmake COMPONENT bundle EXCLUDE_FROM_ALL)

# Manual page and completions, made by the program itself.
if(NOT IPA_SANITIZE)
  set(made ${CMAKE_BINARY_DIR}/share)
  set(man_page ${made}/man/man1/ipamedgan.1)
  set(completion_bash ${made}/bash-completion/completions/ipamedgan)
  set(completion_zsh ${made}/zsh/site-functions/_ipamedgan)
  set(completion_fish ${made}/fish/vendor_completions.d/ipamedgan.fish)
  file(MAKE_DIRECTORY ${made}/man/man1 ${made}/bash-completion/completions ${made}/zsh/site-functions
    ${made}/fish/vendor_completions.d)
  add_custom_command(TARGET ipamedgan POST_BUILD
    COMMAND ipamedgan man > ${man_page}
    COMMAND ipamedgan completion bash > ${completion_bash}
    COMMAND ipamedgan completion zsh > ${completion_zsh}
    COMMAND ipamedgan completion fish > ${completion_fish}
    BYPRODUCTS ${man_page} ${completion_bash} ${completion_zsh} ${completion_fish} VERBATIM)
  install(DIRECTORY ${made}/ DESTINATION share)
endif()

set(CPACK_GENERATOR TGZ)
set(CPACK_PACKAGE_FILE_NAME ipamedgan-${PROJECT_VERSION}-linux-${CMAKE_SYSTEM_PROCESSOR})
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY ${PROJECT_DESCRIPTION})
set(CPACK_RESOURCE_FILE_LICENSE ${CMAKE_SOURCE_DIR}/LICENSE)
set(CPACK_STRIP_FILES ON)
set(CPACK_MONOLITHIC_INSTALL ON)
set(CPACK_VERBATIM_VARIABLES ON)
# Both components into one folder.
set(CPACK_INSTALL_CMAKE_PROJECTS ${CMAKE_BINARY_DIR} ipamedgan Unspecified / ${CMAKE_BINARY_DIR} ipamedgan bundle /)
include(CPack)
