#pragma once
#include "libnux/vx/vector_convert.h"
