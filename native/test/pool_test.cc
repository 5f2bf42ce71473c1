#include "../executor/pool.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <numeric>
#include <thread>
#include <vector>

#include "../executor/runner.h"
#include "../executor/spinning.h"
#include "test.h"

#if defined(__linux__)
#include <sys/resource.h>
#endif

namespace blasnet::test {
namespace {

constexpr int maxThreads = 8;

// What a region counts: plain integers, each written by one thread, so that a missing hand-over is a data race.
struct Counts {
  std::array<int64_t, maxThreads> calls{};
  std::array<int, maxThreads> threads{};
};

void count(void* context, int thread, int threads) {
  auto& counts = *static_cast<Counts*>(context);
  counts.calls[static_cast<size_t>(thread)]++;
  counts.threads[static_cast<size_t>(thread)] = threads;
}

TEST(threadHasTheStackThatKernelsNeed) {
  int sum = 0;
  Thread thread([&sum] {
    volatile char block[Thread::stackBytes / 4];
    for (size_t i = 0; i < sizeof block; i += 1024) block[i] = 1;
    for (size_t i = 0; i < sizeof block; i += 1024) sum += block[i];
  });
  thread.join();
  CHECK(sum == Thread::stackBytes / 4 / 1024);
}

TEST(runnerRunsTasksOnOneThread) {
  // Plain members, so that a missing hand-over is a data race.
  struct Work {
    int tasks = 0;
    int ofThread = 0;
  } work;
  bool right = true;
  {
    Runner runner;
    runner.finish();
    for (int task = 1; task <= 1000; task++) {
      runner.start(
          [](void* context) {
            thread_local int tasks = 0;
            static_cast<Work*>(context)->tasks++;
            static_cast<Work*>(context)->ofThread = ++tasks;
          },
          &work);
      runner.finish();
      right = right && work.tasks == task && work.ofThread == task;
    }
  }
  const Runner unused;
  CHECK(right);
}

TEST(poolRunsEveryThreadOnceARegion) {
  Pool pool;
  Random random(1);
  Counts counts;
  std::array<int64_t, maxThreads> expected{};
  bool right = true;
  for (int region = 0; region < 1000; region++) {
    // More and fewer threads in turn: workers without a part must sit a region out.
    const int threads = 2 + static_cast<int>(random.word() % (maxThreads - 1));
    {
      const Pool::Turn turn(pool);
      pool.run(count, &counts, threads);
    }
    for (int i = 0; i < threads; i++) {
      expected[static_cast<size_t>(i)]++;
      right = right && counts.threads[static_cast<size_t>(i)] == threads;
    }
    right = right && counts.calls == expected;
  }
  CHECK(right);
}

// Threads add neighbours' numbers, step by step: right only if nobody is a step ahead or behind.
struct Ring {
  Barrier* barrier;
  std::vector<int64_t> now, next;
  int64_t steps;
};

void passOn(void* context, int thread, int threads) {
  Ring& ring = *static_cast<Ring*>(context);
  const auto mine = static_cast<size_t>(thread), other = static_cast<size_t>((thread + 1) % threads);
  for (int64_t step = 0; step < ring.steps; step++) {
    ring.next[mine] = ring.now[mine] + ring.now[other];
    ring.barrier->wait(thread);
    ring.now[mine] = ring.next[mine];
    ring.barrier->wait(thread);
  }
}

TEST(barrierLetsNobodyPassEarly) {
  Pool pool;
  for (int threads = 2; threads <= maxThreads; threads++) {
    Ring ring{&pool.barrier(), std::vector<int64_t>(static_cast<size_t>(threads)),
              std::vector<int64_t>(static_cast<size_t>(threads)), 40};
    std::iota(ring.now.begin(), ring.now.end(), 1);
    std::vector<int64_t> expected = ring.now;
    for (int64_t step = 0; step < ring.steps; step++) {
      const std::vector<int64_t> old = expected;
      for (size_t i = 0; i < old.size(); i++) expected[i] = old[i] + old[(i + 1) % old.size()];
    }
    const Pool::Turn turn(pool);
    pool.run(passOn, &ring, threads);
    CHECK(ring.now == expected);
  }
}

TEST(barrierServesManyRegions) {
  Pool pool;
  bool right = true;
  for (int region = 0; region < 400; region++) {
    const int threads = 2 + region % 3;
    Ring ring{&pool.barrier(), std::vector<int64_t>(static_cast<size_t>(threads), 1),
              std::vector<int64_t>(static_cast<size_t>(threads)), 3};
    const Pool::Turn turn(pool);
    pool.run(passOn, &ring, threads);
    for (const int64_t value : ring.now) right = right && value == 8;
  }
  CHECK(right);
}

TEST(callersTakeTurns) {
  Pool pool;
  constexpr int callers = 4, regions = 150;
  // Not atomic: turns alone keep the callers apart.
  int64_t total = 0;
  int inside = 0;
  bool alone = true;
  std::vector<std::thread> threads;
  for (int caller = 0; caller < callers; caller++) {
    threads.emplace_back([&, caller] {
      for (int i = 0; i < regions; i++) {
        Counts counts;
        const Pool::Turn turn(pool);
        alone = alone && ++inside == 1;
        pool.run(count, &counts, 2 + caller);
        for (const int64_t calls : counts.calls) total += calls;
        inside--;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(alone);
  CHECK(total == regions * (2 + 3 + 4 + 5));
}

TEST(turnsAreRefusedToTheImpatientWhileOneIsHeld) {
  Pool pool;
  {
    const Pool::Turn turn(pool, false);
    CHECK(turn.held());
    const Pool::Turn other(pool, false);
    CHECK(!other.held());
  }
  const Pool::Turn next(pool);
  CHECK(next.held());
}

TEST(spinsLastAsLongAsAsked) {
  using Clock = std::chrono::steady_clock;
  double shortest = 1;
  for (int i = 0; i < 20; i++) {
    const Clock::time_point begin = Clock::now();
    for (int64_t spins = spinsIn(200e-6); spins > 0; spins--) relax();
    const double seconds = std::chrono::duration<double>(Clock::now() - begin).count();
    if (seconds < shortest) shortest = seconds;
  }
  CHECK(shortest > 100e-6 && shortest < 400e-6);
}

TEST(turnsAreInOrder) {
  Pool pool;
  std::vector<int> order;
  std::vector<std::thread> threads;
  {
    const Pool::Turn turn(pool);
    for (int caller = 0; caller < 4; caller++) {
      threads.emplace_back([&, caller] {
        const Pool::Turn own(pool);
        order.push_back(caller);
      });
      // Long enough for the caller to draw its ticket before the next one does.
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(order.size() == 4 && std::is_sorted(order.begin(), order.end()));
}

TEST(poolEndsWhileItsThreadsWait) {
  for (int i = 0; i < 60; i++) {
    Counts counts;
    Pool pool;
    if (i % 3 == 0) continue;  // without ever having run
    const Pool::Turn turn(pool);
    pool.run(count, &counts, 2 + i % 7);
    if (i % 3 == 2) std::this_thread::sleep_for(std::chrono::milliseconds(1));  // asleep rather than spinning
    CHECK(std::accumulate(counts.calls.begin(), counts.calls.end(), int64_t{0}) == 2 + i % 7);
  }
}

#if defined(__linux__)
TEST(poolLetsThreadsSleepThatHaveNoPart) {
  Pool pool;
  Counts counts;
  constexpr int regions = 40;
  const auto run = [&](int threads) {
    const Pool::Turn turn(pool);
    pool.run(count, &counts, threads);
  };
  const auto switches = [] {
    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);
    return usage.ru_nvcsw;
  };
  run(maxThreads);
  const auto before = switches();
  for (int i = 0; i < regions; i++) {
    std::this_thread::sleep_for(std::chrono::milliseconds(4));
    run(2);
  }
  // Each of the seven workers goes to sleep again, and so would those that a region woke for nothing.
  CHECK(switches() - before < 4 * regions);
}
#endif

TEST(poolWakesThreadsThatSleep) {
  Pool pool;
  Counts counts;
  for (int i = 0; i < 20; i++) {
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
    const Pool::Turn turn(pool);
    pool.run(count, &counts, 4);
  }
  CHECK(counts.calls[3] == 20);
}

}  // namespace
}  // namespace blasnet::test
