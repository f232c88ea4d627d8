#pragma once
#include "libnux/vx/helper.h"
