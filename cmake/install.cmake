# Install rules: libraries, public headers, program, pkg-config files and the CMake package.
include(CMakePackageConfigHelpers)

install(TARGETS wick-core wick wick-export EXPORT wick-targets
  ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR} RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
if(TARGET wick-cli)
  install(TARGETS wick-cli RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
endif()
if(TARGET wick-share)
  install(FILES ${WICK_SHARE}/wick.1 DESTINATION ${CMAKE_INSTALL_MANDIR}/man1)
  install(FILES ${WICK_SHARE}/wick DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions)
  install(FILES ${WICK_SHARE}/_wick DESTINATION ${CMAKE_INSTALL_DATADIR}/zsh/site-functions)
  install(FILES ${WICK_SHARE}/wick.fish DESTINATION ${CMAKE_INSTALL_DATADIR}/fish/vendor_completions.d)
endif()
install(FILES include/wick.h include/wick_export.h DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(EXPORT wick-targets NAMESPACE wick:: DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/wick)

configure_package_config_file(cmake/wick-config.cmake.in ${CMAKE_CURRENT_BINARY_DIR}/wick-config.cmake
  INSTALL_DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/wick)
write_basic_package_version_file(${CMAKE_CURRENT_BINARY_DIR}/wick-config-version.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/wick-config.cmake ${CMAKE_CURRENT_BINARY_DIR}/wick-config-version.cmake
  DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/wick)

# Static libraries: whoever links them links what they use, so Requires and Libs name it all.
foreach(name wick-core wick wick-export)
  if(name STREQUAL "wick-core")
    set(PC_DESCRIPTION "programs in, logits out: needs libc, libm and threads alone")
    set(PC_REQUIRES "")
    set(PC_LIBS "-lwick-core -lm -lpthread")
  elseif(name STREQUAL "wick")
    set(PC_DESCRIPTION "run language models from ExecuTorch programs")
    set(PC_REQUIRES "jansson libpcre2-8 libutf8proc libsodium")
    set(PC_LIBS "-lwick -lwick-core -lm -lpthread")
  else()
    set(PC_DESCRIPTION "make ExecuTorch programs from checkpoints")
    set(PC_REQUIRES "jansson yaml-0.1 libsodium libpcre2-8 libutf8proc")
    set(PC_LIBS "-lwick-export -lwick -lwick-core -lm -lpthread")
  endif()
  set(PC_NAME ${name})
  configure_file(cmake/wick.pc.in ${CMAKE_CURRENT_BINARY_DIR}/${name}.pc @ONLY)
  install(FILES ${CMAKE_CURRENT_BINARY_DIR}/${name}.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
endforeach()
