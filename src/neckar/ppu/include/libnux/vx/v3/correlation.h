#pragma once
#include "libnux/vx/correlation.h"
