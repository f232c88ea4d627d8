#pragma once
#include "libnux/vx/random.h"
