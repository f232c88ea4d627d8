#pragma once

#define ATTRIB_ALWAYS_INLINE __attribute__((always_inline)) inline
#define ATTRIB_LINK_TO_INTERNAL
#define ATTRIB_UNUSED __attribute__((unused))
