#pragma once
#include "libnux/vx/spikes.h"
