#pragma once
#include "libnux/vx/vector.h"
