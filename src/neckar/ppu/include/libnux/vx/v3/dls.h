#pragma once
#include "libnux/vx/dls.h"
