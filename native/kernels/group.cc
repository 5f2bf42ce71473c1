// The sum over a group of one. In a run with a group, the executor calls the group instead.
#include "kernels.h"

namespace blasnet::BLASNET_SIMD {

void allReduce(float*, double*, int64_t, int64_t, bool) noexcept {}

}  // namespace blasnet::BLASNET_SIMD
