// Single kernels as synchronous functions.
#pragma once

#include <napi.h>

namespace blasnet {

// (kernel: number, args: typed arrays, numbers and nulls in the order of the kernel's signature)
Napi::Value callKernel(const Napi::CallbackInfo& info);

// (calls: [kernel, args][], times: number): makes all calls in turn, `times` times over; returns the seconds.
Napi::Value repeatKernels(const Napi::CallbackInfo& info);

}  // namespace blasnet
