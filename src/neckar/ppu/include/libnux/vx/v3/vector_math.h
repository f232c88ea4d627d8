#pragma once
#include "libnux/vx/vector_math.h"
