// Single kernels as synchronous functions.
#pragma once

#include <napi.h>

namespace blasnet {

// (kernel: number, args: typed arrays, numbers and nulls in the order of the kernel's signature, and to run only a
// share: axis: number, begin: number, end: number)
Napi::Value callKernel(const Napi::CallbackInfo& info);

// (calls: [kernel, args][], times: number): makes all calls in order, `times` times; returns the seconds.
Napi::Value repeatKernels(const Napi::CallbackInfo& info);

}  // namespace blasnet
