#pragma once
#include <cstdint>
#include "libnux/vx/dls.h"
