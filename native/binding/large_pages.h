// Blocks of many megabytes need thousands of ordinary pages, more than the TLB holds, and rows that are drawn at random
// miss it every time. Large pages are requested where the system provides them on request (Linux); elsewhere, and for
// small blocks, these functions do nothing.
#pragma once

#include <cstddef>

namespace blasnet {

// For a block that has not been written to yet.
void adviseLargePages(void* data, size_t bytes) noexcept;

// Also moves what has been written into large pages. False if that is refused.
bool moveToLargePages(void* data, size_t bytes) noexcept;

}  // namespace blasnet
