// Reading what JavaScript hands over. Every reader checks and throws a Napi::Error that names the argument.
#pragma once

#include <napi.h>

#include "../executor/call.h"

namespace blasnet {

// A typed array's storage: its element type, address and length. The address is good until JavaScript runs again,
// or, for shared storage, as long as a reference to the array is held.
struct View {
  napi_typedarray_type type;
  void* data;
  size_t length;
  bool shared;
};

// An Error with `code` INTERNAL: such arguments come only from a fault in the library or from using the addon directly. What
// the standard library throws becomes an Error without code: memory or a thread could not be had.
[[noreturn]] void reject(Napi::Env env, const std::string& message);

View readView(Napi::Env env, napi_value value, const char* name);
// A view of elements of this type.
View readView(Napi::Env env, napi_value value, const char* name, napi_typedarray_type type);

double readNumber(Napi::Env env, napi_value value, const char* name);

size_t elementBytes(napi_typedarray_type type);

// An argument of a kernel: a number, a typed array of elements that kernels know, or null.
Operand readOperand(Napi::Env env, napi_value value);

}  // namespace blasnet
