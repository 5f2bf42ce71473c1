// How work is shared out among threads.
#pragma once

#include <cstdint>

namespace blasnet {
namespace {

struct Share {
  int64_t begin;
  int64_t end;
};

// Share `part` of `parts` in `units` units, in runs of whole `grain`s: none has two more of them than another.
[[maybe_unused]] Share share(int64_t units, int64_t grain, int64_t part, int64_t parts) {
  const int64_t grains = (units + grain - 1) / grain;
  // Larger shares come first, unless the last grain is a short one.
  const int64_t up = units % grain == 0 ? parts - 1 : 0;
  const auto boundary = [=](int64_t i) {
    const int64_t end = (grains * i + up) / parts * grain;
    return end < units ? end : units;
  };
  return {boundary(part), boundary(part + 1)};
}

// The length of equal parts of `total`, of at most `most` each and a multiple of four, which BLAS likes.
[[maybe_unused]] int64_t partOf(int64_t total, int64_t most) {
  const int64_t parts = (total + most - 1) / most;
  return ((total + parts - 1) / parts + 3) / 4 * 4;
}

}  // namespace
}  // namespace blasnet
