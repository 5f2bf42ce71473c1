#include "arguments.h"

namespace blasnet {

void reject(Napi::Env env, const std::string& message) {
  const Napi::Error error = Napi::Error::New(env, message);
  setOwn(error.Value(), "code", Napi::String::New(env, "INTERNAL"));
  throw error;
}

void setOwn(Napi::Object object, const char* name, Napi::Value value) {
  object.DefineProperty(Napi::PropertyDescriptor::Value(name, value, napi_default_jsproperty));
}

void setOwn(Napi::Array array, uint32_t index, Napi::Value value) {
  setOwn(array, std::to_string(index).c_str(), value);
}

View readView(Napi::Env env, napi_value value, const char* name) {
  bool isTypedArray = false;
  if (napi_is_typedarray(env, value, &isTypedArray) != napi_ok || !isTypedArray) {
    reject(env, std::string(name) + ": expected a typed array");
  }
  View view{};
  napi_value buffer;
  size_t offset;
  if (napi_get_typedarray_info(env, value, &view.type, &view.length, &view.data, &buffer, &offset) != napi_ok) {
    reject(env, std::string(name) + ": its storage can't be read");
  }
  bool ordinary = false;
  napi_is_arraybuffer(env, buffer, &ordinary);
  view.shared = !ordinary;
  if (view.data == nullptr) view.length = 0;
  return view;
}

View readView(Napi::Env env, napi_value value, const char* name, napi_typedarray_type type) {
  const View view = readView(env, value, name);
  if (view.type != type) reject(env, std::string(name) + ": a typed array of another type was expected");
  return view;
}

double readNumber(Napi::Env env, napi_value value, const char* name) {
  double number;
  if (napi_get_value_double(env, value, &number) != napi_ok) reject(env, std::string(name) + ": expected a number");
  return number;
}

size_t elementBytes(napi_typedarray_type type) {
  switch (type) {
    case napi_float64_array:
    case napi_bigint64_array:
    case napi_biguint64_array: return 8;
    case napi_int16_array:
    case napi_uint16_array: return 2;
    case napi_int8_array:
    case napi_uint8_array:
    case napi_uint8_clamped_array: return 1;
    default: return 4;
  }
}

Element elementOf(Napi::Env env, const View& view, const char* name) {
  switch (view.type) {
    case napi_float32_array: return Element::f32;
    case napi_float64_array: return Element::f64;
    case napi_int32_array: return Element::i32;
    case napi_uint8_array: return Element::u8;
    default: reject(env, std::string(name) + ": wrong type of array");
  }
}

Operand readOperand(Napi::Env env, napi_value value) {
  Operand operand;
  napi_valuetype type = napi_undefined;
  napi_typeof(env, value, &type);
  if (type == napi_null) return operand;
  if (type == napi_number) {
    operand.kind = Operand::Kind::number;
    operand.number = readNumber(env, value, "argument");
    return operand;
  }
  const View view = readView(env, value, "argument");
  operand.kind = Operand::Kind::buffer;
  operand.element = elementOf(env, view, "argument");
  operand.data = view.data;
  operand.length = view.length;
  return operand;
}

}  // namespace blasnet
