#pragma once
#include "libnux/vx/location.h"
