#pragma once
#include "libnux/vx/time.h"
