// Sums over the ranks that go on while a run computes.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <vector>

#include "../host/group.h"
#include "thread.h"

namespace blasnet {

// A thread that makes sums one after the other, in the order in which they are started: the same on all ranks.
class Sums {
 public:
  // Has space for `most` sums that are not finished. Throws std::system_error if there is no thread, std::bad_alloc if
  // there is no memory.
  Sums(Group& group, size_t most);
  ~Sums();

  // With `shares`, each rank gets the sums of its share only. The values belong to the sum until finish(). Its seconds
  // are added to `seconds`, if that is not null. Without space, waits for all sums before it.
  void start(float* values, int64_t count, bool shares, double* seconds) noexcept;
  // Waits for all sums; returns false if one has failed.
  bool finish() noexcept;

 private:
  struct Sum {
    float* values;
    int64_t count;
    bool shares;
    double* seconds;
  };

  void work() noexcept;
  void await(std::unique_lock<std::mutex>& lock);

  Group& group_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<Sum> started_;
  size_t made_ = 0;  // of those
  bool failed_ = false, ended_ = false;
  Thread thread_;
};

}  // namespace blasnet
