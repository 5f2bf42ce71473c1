// Reads arguments from JavaScript. Every reader checks its argument and throws a Napi::Error that names it.
#pragma once

#include <napi.h>

#include "../executor/call.h"

namespace blasnet {

// A typed array's storage: its element type, address and length. The address is valid until JavaScript runs again or,
// for shared storage, as long as a reference to the array is held.
struct View {
  napi_typedarray_type type;
  void* data;
  size_t length;
  bool shared;
};

// Throws an Error with `code` INTERNAL: such arguments come only from a bug in the library or from direct use of the
// addon. Exceptions of the standard library become an Error without code: memory or a thread was not available.
[[noreturn]] void reject(Napi::Env env, const std::string& message);

// Defines an own property of an object. An assignment would run a setter that JavaScript has put on the prototype.
void setOwn(Napi::Object object, const char* name, Napi::Value value);
void setOwn(Napi::Array array, uint32_t index, Napi::Value value);

View readView(Napi::Env env, napi_value value, const char* name);
// A view of elements of this type.
View readView(Napi::Env env, napi_value value, const char* name, napi_typedarray_type type);

double readNumber(Napi::Env env, napi_value value, const char* name);

size_t elementBytes(napi_typedarray_type type);

// The element type of a view; throws if kernels don't support it.
Element elementOf(Napi::Env env, const View& view, const char* name);

// Reads a kernel argument: a number, a typed array of a supported element type, or null.
Operand readOperand(Napi::Env env, napi_value value);

}  // namespace blasnet
