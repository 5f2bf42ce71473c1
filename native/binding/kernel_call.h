// Single kernels as synchronous functions.
#pragma once

#include <napi.h>

namespace blasnet {

// (kernel: number, args: typed arrays, numbers and nulls in the order of the kernel's signature)
Napi::Value callKernel(const Napi::CallbackInfo& info);

}  // namespace blasnet
