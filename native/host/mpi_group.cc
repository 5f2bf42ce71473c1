#include "mpi_group.h"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <thread>
#include <utility>

#ifndef _WIN32
#include <sched.h>
#endif

namespace blasnet {

namespace {

constexpr int64_t maxAtOnce = int64_t{1} << 28;    // elements: counts are ints
constexpr int64_t maxReceived = int64_t{1} << 18;  // elements that sumOwnShare takes from all at a time
constexpr int64_t atOnce = 256;                    // elements that it adds up at a time
constexpr int hostBytes = 256;
constexpr std::chrono::microseconds betweenPolls(20);  // while others compute

void yieldCore() {
#ifdef _WIN32
  // Nothing to yield to: no group is ever joined there.
#else
  sched_yield();
#endif
}

std::string ownHost() {
  char name[hostBytes] = "";
#ifndef _WIN32
  if (gethostname(name, sizeof(name) - 1) != 0) name[0] = '\0';
#endif
  return name;
}

}  // namespace

bool MpiGroup::fail(const char* what, const char* reason) noexcept {
  const std::lock_guard<std::mutex> lock(failing_);
  // The first failure is the cause of the others. Who sees it reads the whole text.
  if (!failed_) std::snprintf(error_, sizeof(error_), "%s: %s", what, reason);
  failed_ = true;
  return false;
}

template <typename Call>
bool MpiGroup::call(const char* name, Call make) noexcept {
  if (failed_) return false;
  const std::lock_guard<std::mutex> lock(mutex_);
  const int code = make();
  if (code == 0) return true;
  try {
    return fail(name, mpi_->errorText(code).c_str());
  } catch (...) {
    return fail(name, "it failed");
  }
}

template <typename Call>
bool MpiGroup::run(const char* name, Call make) noexcept {
  if (!started_) return fail(name, "the group is not joined");
  MpiHandle request = 0;
  if (!call(name, [&] { return make(&request); })) return false;
  for (;;) {
    int done = 0;
    if (!call(name, [&] { return mpi_->Test(&request, &done, mpi_->statusIgnore); })) return false;
    if (done) return true;
    if (abandoned_.load(std::memory_order_relaxed)) return fail(name, "it was left in the middle of the call");
    if (spare_.load(std::memory_order_relaxed))
      std::this_thread::sleep_for(betweenPolls);
    else
      yieldCore();
  }
}

bool MpiGroup::join() noexcept {
  int running = 0, provided = 0;
  if (!call("MPI_Initialized", [&] { return mpi_->Initialized(&running); })) return false;
  if (!running) {
    const auto init = [&] { return mpi_->Init_thread(nullptr, nullptr, mpi_->threadSerialized, &provided); };
    if (!call("MPI_Init_thread", init)) return false;
    if (provided < mpi_->threadSerialized) return fail("MPI_Init_thread", "the library has no MPI_THREAD_SERIALIZED");
    finalizes_ = true;
  }
  // A communicator of its own: messages of others in this process can't be mistaken for the group's.
  if (!call("MPI_Comm_dup", [&] { return mpi_->Comm_dup(mpi_->world, &comm_); }) ||
      !call("MPI_Comm_set_errhandler", [&] { return mpi_->Comm_set_errhandler(comm_, mpi_->errorsReturn); }) ||
      !call("MPI_Comm_rank", [&] { return mpi_->Comm_rank(comm_, &rank_); }) ||
      !call("MPI_Comm_size", [&] { return mpi_->Comm_size(comm_, &size_); }))
    return false;
  started_ = true;
  return exchangeHosts();
}

bool MpiGroup::exchangeHosts() noexcept {
  try {
    for (std::vector<int>* each : {&sendCounts_, &sendDisplacements_, &receiveCounts_, &receiveDisplacements_})
      each->resize(static_cast<size_t>(size_));
    received_.resize(static_cast<size_t>(std::max(maxReceived, int64_t{size_})));
    std::string own = ownHost();
    own.resize(hostBytes);
    std::vector<char> all(static_cast<size_t>(size_) * hostBytes);
    std::copy(own.begin(), own.end(), all.begin() + static_cast<ptrdiff_t>(rank_) * hostBytes);
    if (!gather(all.data(), hostBytes * int64_t{size_}, mpi_->typeByte)) return false;
    for (int i = 0; i < size_; i++) hosts_.emplace_back(all.data() + static_cast<size_t>(i) * hostBytes);
    return true;
  } catch (...) {
    return fail("joinGroup", "no memory");
  }
}

bool MpiGroup::leave() noexcept {
  if (!started_) return true;
  if (failed_) return false;
  started_ = false;
  return !finalizes_ || call("MPI_Finalize", [&] { return mpi_->Finalize(); });
}

void MpiGroup::abort(int code) noexcept {
  abandon();
#ifndef _WIN32
  // The process must end even if the library hangs.
  std::signal(SIGALRM, SIG_DFL);
  alarm(10);
#endif
  // Not under the lock: another thread may be in a call that never ends.
  if (started_) mpi_->Abort(mpi_->world, code);
  std::_Exit(code);
}

template <typename T>
bool MpiGroup::sumByLibrary(T* values, int64_t count, MpiHandle type) noexcept {
  for (int64_t from = 0; from < count; from += maxAtOnce) {
    const int part = static_cast<int>(std::min(count - from, maxAtOnce));
    const auto reduce = [&](MpiHandle* request) {
      return mpi_->Iallreduce(mpi_->inPlace, values + from, part, type, mpi_->opSum, comm_, request);
    };
    if (!run("MPI_Iallreduce", reduce)) return false;
  }
  return true;
}

// In double precision.
template <typename T>
bool MpiGroup::sumInOrder(T* values, int64_t count, MpiHandle type) noexcept {
  const std::lock_guard<std::mutex> lock(exchange_);
  for (int64_t from = 0; from < count; from += maxAtOnce) {
    const int64_t part = std::min(count - from, maxAtOnce);
    if (!sumOwnShare<double>(values + from, part, type) || !gather(values + from, part, type)) return false;
  }
  return true;
}

// Receives this rank's share of the values of all ranks, a piece at a time, which stays in the cache, and adds them up
// in the order of the ranks, as numbers of type Sum.
template <typename Sum, typename T>
bool MpiGroup::sumOwnShare(T* values, int64_t count, MpiHandle type) noexcept {
  int64_t longest = 0;
  for (int r = 0; r < size_; r++) longest = std::max(longest, shareOf(count, r).end - shareOf(count, r).begin);
  const int64_t piece = std::min(std::max(maxReceived / size_, int64_t{1}), longest);
  T* received = reinterpret_cast<T*>(received_.data());
  for (int64_t from = 0; from < longest; from += piece) {
    for (int r = 0; r < size_; r++) {
      const auto [begin, end] = shareOf(count, r);
      sendDisplacements_[r] = static_cast<int>(std::min(begin + from, end));
      sendCounts_[r] = static_cast<int>(std::min(end - sendDisplacements_[r], piece));
    }
    const int own = std::exchange(sendCounts_[rank_], 0);
    for (int r = 0; r < size_; r++) {
      receiveDisplacements_[r] = r * own;
      receiveCounts_[r] = r == rank_ ? 0 : own;
    }
    const auto scatter = [&](MpiHandle* request) {
      return mpi_->Ialltoallv(values, sendCounts_.data(), sendDisplacements_.data(), type, received,
                              receiveCounts_.data(), receiveDisplacements_.data(), type, comm_, request);
    };
    if (!run("MPI_Ialltoallv", scatter)) return false;
    T* mine = values + sendDisplacements_[rank_];
    for (int64_t i = 0; i < own; i += atOnce) {
      const int64_t length = std::min(own - i, atOnce);
      Sum sums[atOnce] = {};
      for (int r = 0; r < size_; r++) {
        const T* theirs = (r == rank_ ? mine : received + receiveDisplacements_[r]) + i;
#pragma omp simd
        for (int64_t j = 0; j < length; j++) sums[j] += static_cast<Sum>(theirs[j]);
      }
#pragma omp simd
      for (int64_t j = 0; j < length; j++) mine[i + j] = static_cast<T>(sums[j]);
    }
  }
  return true;
}

// Gives all ranks the share of each. `type` is that of T.
template <typename T>
bool MpiGroup::gather(T* values, int64_t count, MpiHandle type) noexcept {
  for (int r = 0; r < size_; r++) {
    const auto [begin, end] = shareOf(count, r);
    receiveDisplacements_[r] = static_cast<int>(begin);
    receiveCounts_[r] = static_cast<int>(end - begin);
  }
  return run("MPI_Iallgatherv", [&](MpiHandle* request) {
    return mpi_->Iallgatherv(mpi_->inPlace, 0, type, values, receiveCounts_.data(), receiveDisplacements_.data(), type,
                             comm_, request);
  });
}

bool MpiGroup::sumShares(float* values, int64_t count) noexcept {
  const std::lock_guard<std::mutex> lock(exchange_);
  return ordered_ ? sumOwnShare<double>(values, count, mpi_->typeFloat)
                  : sumOwnShare<float>(values, count, mpi_->typeFloat);
}

bool MpiGroup::gatherShares(float* values, int64_t count) noexcept {
  const std::lock_guard<std::mutex> lock(exchange_);
  return gather(values, count, mpi_->typeFloat);
}

bool MpiGroup::sum(float* values, int64_t count) noexcept {
  return ordered_ ? sumInOrder(values, count, mpi_->typeFloat) : sumByLibrary(values, count, mpi_->typeFloat);
}

bool MpiGroup::sum(double* values, int64_t count) noexcept {
  return ordered_ ? sumInOrder(values, count, mpi_->typeDouble) : sumByLibrary(values, count, mpi_->typeDouble);
}

bool MpiGroup::broadcast(void* bytes, int64_t count, int root) noexcept {
  for (int64_t from = 0; from < count; from += maxAtOnce) {
    const int part = static_cast<int>(std::min(count - from, maxAtOnce));
    const auto send = [&](MpiHandle* request) {
      return mpi_->Ibcast(static_cast<char*>(bytes) + from, part, mpi_->typeByte, root, comm_, request);
    };
    if (!run("MPI_Ibcast", send)) return false;
  }
  return true;
}

bool MpiGroup::barrier() noexcept {
  return run("MPI_Ibarrier", [&](MpiHandle* request) { return mpi_->Ibarrier(comm_, request); });
}

}  // namespace blasnet
