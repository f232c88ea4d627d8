#pragma once
#include "libnux/vx/reset_neurons.h"
