# What the Extensions Index asks of an extension's own words.
foreach(word HOMEPAGE CONTRIBUTORS DESCRIPTION ICONURL SCREENSHOTURLS DEPENDS)
  if("${EXTENSION_${word}}" STREQUAL "")
    message(FATAL_ERROR "EXTENSION_${word} is not set.")
  endif()
  message(STATUS "EXTENSION_${word}=${EXTENSION_${word}}")
endforeach()
