# Run by `cmake --install --component bundle`: copies the shared libraries that the program (ipa_program) needs, all but
# the C library's, to lib/ipamedgan, with the licence of every Debian package they come from and a list, NOTICE.
set(prefix "$ENV{DESTDIR}${CMAKE_INSTALL_PREFIX}")
set(licences ${prefix}/share/doc/ipamedgan/licences)

# The C library and its loader belong to the machine, and so do the drivers of its GPU.
file(GET_RUNTIME_DEPENDENCIES EXECUTABLES ${ipa_program} RESOLVED_DEPENDENCIES_VAR libraries
  UNRESOLVED_DEPENDENCIES_VAR unresolved
  PRE_EXCLUDE_REGEXES "^ld-linux" "^lib(c|m|dl|rt|pthread|resolv|util|anl|nsl|cuda|nvidia-.*)\\.so")
if(unresolved)
  message(FATAL_ERROR "bundle: not found: ${unresolved}")
endif()
list(SORT libraries)

# Debian lists a file below /lib or /usr/lib, by its own name or a link's. One question for all: dpkg-query is slow.
set(asked "")
foreach(library ${libraries})
  get_filename_component(real ${library} REALPATH)
  foreach(path ${library} ${real})
    string(REGEX REPLACE "^/usr/" "/" bare ${path})
    list(APPEND asked ${bare} /usr${bare})
  endforeach()
endforeach()
execute_process(COMMAND dpkg-query -S ${asked} OUTPUT_VARIABLE answers ERROR_QUIET)

set(packages "")
foreach(library ${libraries})
  get_filename_component(name ${library} NAME)
  get_filename_component(real ${library} REALPATH)
  get_filename_component(real_name ${real} NAME)
  string(REPLACE "." "\\." patterns "${name}|${real_name}")
  string(REPLACE "+" "\\+" patterns "${patterns}")
  if(NOT answers MATCHES "([a-z0-9.+-]+)(:[a-z0-9]+)?: [^\n]*/(${patterns})\n")
    message(FATAL_ERROR "bundle: no Debian package has ${library}, so that its licence is not known")
  endif()
  set(package ${CMAKE_MATCH_1})
  list(APPEND packages ${package})
  list(APPEND names_of_${package} ${name})
  file(INSTALL ${library} DESTINATION ${prefix}/lib/ipamedgan FOLLOW_SYMLINK_CHAIN)
endforeach()
list(REMOVE_DUPLICATES packages)
list(SORT packages)

set(notice "ipamedgan is licensed by the Apache License 2.0 (LICENSE). lib/ipamedgan holds shared libraries of Debian, unchanged,
under their own licences, each in the folder licences; several are under the LGPL and may be replaced by others.
Their sources: https://snapshot.debian.org, by the name and version of the source package.\n\n")
foreach(package ${packages})
  set(copyright /usr/share/doc/${package}/copyright)
  if(NOT EXISTS ${copyright})
    message(FATAL_ERROR "bundle: no ${copyright}, which the licence of ${package} asks to go along")
  endif()
  file(MAKE_DIRECTORY ${licences})
  file(COPY_FILE ${copyright} ${licences}/${package})
  execute_process(COMMAND dpkg-query -W -f "\${source:Package} \${source:Version}\n" ${package} OUTPUT_VARIABLE source)
  string(REGEX REPLACE "\n.*" "" source "${source}")
  list(JOIN names_of_${package} " " names)
  string(APPEND notice "${package}\n    source  ${source}\n    files   ${names}\n")
endforeach()
file(WRITE ${prefix}/share/doc/ipamedgan/NOTICE "${notice}")
