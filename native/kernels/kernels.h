// The kernels of one instruction set. The files that include this are compiled once per set, with BLASNET_SIMD as its
// name, and define everything inside namespace blasnet::BLASNET_SIMD. Inline functions are not shared between sets: the
// linker would keep one copy, possibly one that this CPU can't run.
//
// A kernel takes the arguments of its entry in lib/kernels. If it has several axes, the index of the one that is split
// follows, then the range [begin, end) of units along it to process; sizes always describe the whole problem.
// docs/numerics.md describes what each computes. Kernels share no state and allocate nothing, so calls on disjoint
// ranges can run concurrently. The declarations are generated from the table.
#pragma once

#ifndef BLASNET_SIMD
#error "define BLASNET_SIMD as the name of the instruction set"
#endif

#include <cstdint>

#include "geometry.h"

namespace blasnet::BLASNET_SIMD {

#define BLASNET_KERNEL(name, ...) void name(__VA_ARGS__) noexcept;
#include "signatures.inc"
#undef BLASNET_KERNEL

}  // namespace blasnet::BLASNET_SIMD
