// How work is shared out among threads.
#pragma once

#include <cstdint>

namespace blasnet {
namespace {

struct Share {
  int64_t begin;
  int64_t end;
};

// Share `part` of `parts` in `units` units, in runs of whole `grain`s.
[[maybe_unused]] Share share(int64_t units, int64_t grain, int64_t part, int64_t parts) {
  const int64_t grains = (units + grain - 1) / grain;
  const int64_t begin = grains * part / parts * grain;
  const int64_t end = grains * (part + 1) / parts * grain;
  return {begin < units ? begin : units, end < units ? end : units};
}

// The length of equal parts of `total`, of at most `most` each and a multiple of four, which BLAS likes.
[[maybe_unused]] int64_t partOf(int64_t total, int64_t most) {
  const int64_t parts = (total + most - 1) / most;
  return ((total + parts - 1) / parts + 3) / 4 * 4;
}

}  // namespace
}  // namespace blasnet
