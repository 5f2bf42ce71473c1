// A group of processes over MPI.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "group.h"
#include "mpi_library.h"

namespace blasnet {

// Calls may come from any thread, but all ranks must make them in the same order. Each waits by polling, and yields its
// core between two polls: the libraries' own blocking calls spin on it, and can't be ended from outside.
class MpiGroup : public Group {
 public:
  // `ordered`: sums are made in the order of the ranks, by this class: the same bits whatever the library does.
  MpiGroup(std::unique_ptr<MpiLibrary> library, bool ordered) : mpi_(std::move(library)), ordered_(ordered) {}

  // Starts MPI, and exchanges the names of the hosts. Blocks until all ranks have joined. MPI starts once in a process.
  bool join() noexcept;
  // Ends MPI, for all ranks together. Blocks until all have come.
  bool leave() noexcept;
  // Ends this process and all others of the job.
  [[noreturn]] void abort(int code) noexcept;
  // Makes the call that waits, and all later ones, fail soon. From any thread.
  void abandon() noexcept { abandoned_.store(true, std::memory_order_relaxed); }

  const MpiLibrary& library() const noexcept { return *mpi_; }
  // The host of each rank.
  const std::vector<std::string>& hosts() const noexcept { return hosts_; }

  int rank() const noexcept override { return rank_; }
  int size() const noexcept override { return size_; }
  bool sum(float* values, int64_t count) noexcept override;
  bool sum(double* values, int64_t count) noexcept override;
  bool sumShares(float* values, int64_t count) noexcept override;
  bool gatherShares(float* values, int64_t count) noexcept override;
  bool broadcast(void* bytes, int64_t count, int root) noexcept override;
  bool barrier() noexcept override;
  void spareCores(bool spare) noexcept override { spare_.store(spare, std::memory_order_relaxed); }
  const char* error() const noexcept override { return error_; }

 private:
  // Makes one call into the library: MPI_THREAD_SERIALIZED allows one at a time.
  template <typename Call>
  bool call(const char* name, Call make) noexcept;
  // Starts an operation by `make(&request)`, and waits for it.
  template <typename Call>
  bool run(const char* name, Call make) noexcept;

  template <typename T>
  bool sumByLibrary(T* values, int64_t count, MpiHandle type) noexcept;
  template <typename T>
  bool sumInOrder(T* values, int64_t count, MpiHandle type) noexcept;
  template <typename Sum, typename T>
  bool sumOwnShare(T* values, int64_t count, MpiHandle type) noexcept;
  template <typename T>
  bool gather(T* values, int64_t count, MpiHandle type) noexcept;
  bool exchangeHosts() noexcept;
  bool fail(const char* what, const char* reason) noexcept;

  std::unique_ptr<MpiLibrary> mpi_;
  bool ordered_;
  bool started_ = false;    // MPI runs, and this group uses it
  bool finalizes_ = false;  // MPI was started here, not by other code of this process
  MpiHandle comm_ = 0;
  int rank_ = 0, size_ = 1;
  std::vector<std::string> hosts_;
  // Of sumOwnShare and gather: what comes from other ranks; for each rank, how much is sent and received, and where.
  std::vector<double> received_;
  std::vector<int> sendCounts_, sendDisplacements_, receiveCounts_, receiveDisplacements_;
  std::mutex exchange_;  // held while these are used: calls from two threads are wrong, but must not write elsewhere
  std::mutex mutex_;     // held during a call into the library
  std::mutex failing_;   // held while the first failure is described
  std::atomic<bool> abandoned_{false}, failed_{false}, spare_{false};
  char error_[1024] = "";
};

}  // namespace blasnet
