#pragma once
#include "libnux/vx/omnibus.h"
