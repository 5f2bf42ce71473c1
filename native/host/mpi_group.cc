#include "mpi_group.h"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <thread>

#ifndef _WIN32
#include <sched.h>
#endif

namespace blasnet {

namespace {

constexpr int64_t mostAtOnce = int64_t{1} << 28;   // elements: counts are ints
constexpr int64_t mostOrdered = int64_t{1} << 20;  // elements of a block that sumInOrder exchanges
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
  // The first failure is the cause of the others.
  if (!failed_.exchange(true)) std::snprintf(error_, sizeof(error_), "%s: %s", what, reason);
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
    std::string own = ownHost();
    own.resize(hostBytes);
    std::vector<char> all(static_cast<size_t>(size_) * hostBytes);
    const auto gather = [&](MpiHandle* request) {
      return mpi_->Iallgather(own.data(), hostBytes, mpi_->typeByte, all.data(), hostBytes, mpi_->typeByte, comm_,
                              request);
    };
    if (!run("MPI_Iallgather", gather)) return false;
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
  for (int64_t from = 0; from < count; from += mostAtOnce) {
    const int part = static_cast<int>(std::min(count - from, mostAtOnce));
    const auto reduce = [&](MpiHandle* request) {
      return mpi_->Iallreduce(mpi_->inPlace, values + from, part, type, mpi_->opSum, comm_, request);
    };
    if (!run("MPI_Iallreduce", reduce)) return false;
  }
  return true;
}

// Each rank receives its share of the values of all ranks, sums it in double precision, and gives the sums to all. The
// shares are equal; what is beyond the values is 0.
template <typename T>
bool MpiGroup::sumInOrder(T* values, int64_t count, MpiHandle type) noexcept {
  const int64_t most = std::min(count, mostOrdered);
  const int64_t longest = (most + size_ - 1) / size_ * size_;
  try {
    if (blocks_.size() < static_cast<size_t>(2 * longest)) blocks_.resize(static_cast<size_t>(2 * longest));
  } catch (...) {
    return fail("allReduce", "no memory");
  }
  T* own = reinterpret_cast<T*>(blocks_.data());
  T* received = reinterpret_cast<T*>(blocks_.data() + longest);
  for (int64_t from = 0; from < count; from += mostOrdered) {
    const int64_t part = std::min(count - from, mostOrdered);
    const int share = static_cast<int>((part + size_ - 1) / size_);
    std::copy_n(values + from, part, own);
    std::fill(own + part, own + static_cast<int64_t>(share) * size_, T{0});
    const auto scatter = [&](MpiHandle* request) {
      return mpi_->Ialltoall(own, share, type, received, share, type, comm_, request);
    };
    if (!run("MPI_Ialltoall", scatter)) return false;
    for (int64_t i = 0; i < share; i++) {
      double sum = static_cast<double>(received[i]);
      for (int64_t r = 1; r < size_; r++) sum += static_cast<double>(received[r * share + i]);
      own[i] = static_cast<T>(sum);
    }
    const auto gather = [&](MpiHandle* request) {
      return mpi_->Iallgather(own, share, type, received, share, type, comm_, request);
    };
    if (!run("MPI_Iallgather", gather)) return false;
    std::copy_n(received, part, values + from);
  }
  return true;
}

bool MpiGroup::sum(float* values, int64_t count) noexcept {
  return ordered_ ? sumInOrder(values, count, mpi_->typeFloat) : sumByLibrary(values, count, mpi_->typeFloat);
}

bool MpiGroup::sum(double* values, int64_t count) noexcept {
  return ordered_ ? sumInOrder(values, count, mpi_->typeDouble) : sumByLibrary(values, count, mpi_->typeDouble);
}

bool MpiGroup::broadcast(void* bytes, int64_t count, int root) noexcept {
  for (int64_t from = 0; from < count; from += mostAtOnce) {
    const int part = static_cast<int>(std::min(count - from, mostAtOnce));
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
