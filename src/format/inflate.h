/* Inflate has only its public face; this file gives its users in later layers one name to include. */
#pragma once
#include "../api/inflate.h"
#include "checksum.h"
