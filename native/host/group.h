// The processes that train together.
#pragma once

#include <cstdint>

#include "../kernels/share.h"

namespace blasnet {

// All ranks must make the same calls in the same order, with the same counts. A call returns false if the group failed;
// then error() says why, and every later call fails too.
class Group {
 public:
  virtual ~Group() = default;
  virtual int rank() const noexcept = 0;
  virtual int size() const noexcept = 0;
  // Sums the values of all ranks in place. All ranks get the same bits.
  virtual bool sum(float* values, int64_t count) noexcept = 0;
  virtual bool sum(double* values, int64_t count) noexcept = 0;
  // As `sum`, but each rank gets the sums of its share of the values only; what it leaves in the others is undefined.
  virtual bool sumShares(float* values, int64_t count) noexcept = 0;
  // Gives all ranks each rank's share of the values, in place.
  virtual bool gatherShares(float* values, int64_t count) noexcept = 0;
  virtual bool broadcast(void* bytes, int64_t count, int root) noexcept = 0;
  virtual bool barrier() noexcept = 0;
  // Whether other threads of this process need its cores while a call waits. From any thread.
  virtual void spareCores(bool) noexcept {}
  virtual const char* error() const noexcept = 0;

  // A rank's share of `count` values: whole cache lines of floats.
  Share shareOf(int64_t count, int rank) const noexcept { return share(count, partGrain, rank, size()); }
};

}  // namespace blasnet
