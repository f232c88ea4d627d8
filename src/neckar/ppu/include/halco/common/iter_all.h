#pragma once
#include "halco/common/geometry.h"
