/* HTTP/2 frames have only their public face; this file gives their users in later layers one name to
 * include. */
#pragma once
#include "../api/h2.h"
#include "../base/bytes.h"
