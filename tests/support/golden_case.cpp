#include "tests/support/golden_case.h"

#include <algorithm>
#include <catch2/catch.hpp>

#include "tests/support/dot.h"

namespace ipa::test {
namespace {
// Our float32 sums in another order than PyTorch's; both lie some float32 errors from double.
constexpr double allowed = 8;
const std::string error_prefix = "float32_error/";
}  // namespace

void GoldenResults::check(const std::string& name, const Tensor& t) {
  const double distance = golden.distance_in_float32_errors(name, t);
  if (!(distance <= worst_)) worst_ = distance, worst_name_ = name;
  INFO(name << ": " << distance << " float32 errors of PyTorch");
  CHECK(distance <= allowed);
  CHECK(compared_.insert(name).second);
}

void GoldenResults::check_all_compared() const {
  for (const NamedArray& a : golden.under(error_prefix)) {
    INFO("a result of the golden file that no case compares: " << a.name);
    CHECK(compared_.contains(a.name));
  }
  WARN(compared_.size() << " results, the worst " << worst_name_ << ": " << worst_ << " float32 errors of PyTorch");
}

Value GoldenCase::input(const std::string& array) {
  const Value v = graph_.input(array, {results_.golden.nhwc_shape(path(array))});
  inputs_.push_back({array, v, {}});
  return v;
}

Value GoldenCase::input(const std::string& name, const std::vector<float>& values) {
  const Value v = graph_.input(name, {vector_shape(static_cast<std::int64_t>(values.size()))});
  inputs_.push_back({name, v, values});
  return v;
}

Value GoldenCase::state(const std::string& array, const std::string& after) {
  const TensorSpec spec{results_.golden.nhwc_shape(path(array))};
  const Value v = graph_.state(array, spec);
  states_.push_back({array, after, v, Buffer(array, spec.bytes())});
  return v;
}

void GoldenCase::check(Value output) {
  std::vector<Value> wrt, outputs;
  std::vector<std::string> names;
  for (const Input& i : inputs_)
    if (has("grad/" + i.name)) wrt.push_back(i.value), names.push_back("grad/" + i.name);
  if (!wrt.empty()) outputs = grad(has("cotangent") ? dot(output, input("cotangent")) : output, wrt);
  outputs.push_back(output), names.emplace_back("output");

  Program::Bindings bindings;
  for (const State& s : states_) bindings[s.value.id] = s.memory.tensor(s.value.spec());
  Program program(graph_, plan(graph_, outputs), bindings);
  for (const Input& i : inputs_) {
    if (i.values.empty())
      results_.golden.fill(path(i.name), program.tensor(i.value));
    else
      std::copy(i.values.begin(), i.values.end(), program.tensor(i.value).f32());
  }
  for (const State& s : states_) results_.golden.fill(path(s.before), bindings[s.value.id]);
  Stream stream;
  program.run(stream);
  for (std::size_t k = 0; k < outputs.size(); ++k) results_.check(path(names[k]), program.tensor(outputs[k]));
  for (const State& s : states_) results_.check(path(s.after), bindings[s.value.id]);
}

}  // namespace ipa::test
