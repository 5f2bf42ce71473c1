#include "abandon.h"

namespace blasnet {
namespace {

thread_local const std::atomic<bool>* watched = nullptr;

}  // namespace

Abandonment::Abandonment(const std::atomic<bool>* flag) noexcept { watched = flag; }

Abandonment::~Abandonment() { watched = nullptr; }

bool abandoned() noexcept { return watched != nullptr && watched->load(std::memory_order_relaxed); }

}  // namespace blasnet
