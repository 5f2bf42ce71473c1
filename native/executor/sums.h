// Sums over the ranks that go on while a run computes.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <mutex>
#include <thread>

#include "../host/group.h"

namespace blasnet {

// A thread that makes sums one after the other, in the order in which they are started: the same on all ranks.
class Sums {
 public:
  // Throws std::system_error if there is no thread.
  explicit Sums(Group& group);
  ~Sums();

  // The values belong to the sum until finish(). Its seconds are added to `seconds`, if that is not null. False if
  // there is no memory.
  bool start(float* values, int64_t count, double* seconds) noexcept;
  // Waits for all sums; returns false if one has failed.
  bool finish() noexcept;

 private:
  struct Sum {
    float* values;
    int64_t count;
    double* seconds;
  };

  void work() noexcept;

  Group& group_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Sum> waiting_;
  bool busy_ = false, failed_ = false, ended_ = false;
  std::thread thread_;
};

}  // namespace blasnet
