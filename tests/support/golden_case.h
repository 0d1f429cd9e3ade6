// One case of a golden file of operations: its op built in a graph, run, and its value, gradients and states compared.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "engine/buffer.h"
#include "graph/graph.h"
#include "graph/program.h"
#include "tests/support/golden.h"

namespace ipa::test {

// A golden file whose every result must be compared with ours once.
class GoldenResults {
 public:
  explicit GoldenResults(const std::string& name) : golden(name) {}

  const Golden golden;
  void check(const std::string& name, const Tensor& t);
  void check_all_compared() const;  // of the file's results; tells how far the worst was

 private:
  std::set<std::string> compared_;
  double worst_ = 0;
  std::string worst_name_;
};

// NAME/INPUT, NAME/cotangent, NAME/output, NAME/grad/INPUT (tests/golden/README.md, "Files").
class GoldenCase {
 public:
  GoldenCase(GoldenResults& results, std::string name) : results_(results), name_(std::move(name)) {}

  bool has(const std::string& array) const { return results_.golden.has(path(array)); }
  const NamedArray& array(const std::string& array) const { return results_.golden[path(array)]; }

  Value input(const std::string& array);
  Value input(const std::string& name, const std::vector<float>& values);  // a vector the file has not
  Value state(const std::string& array, const std::string& after);         // compared with NAME/`after`

  // Compares `output` and the gradients of the file with respect to the inputs: of <output, cotangent>, or of a scalar.
  void check(Value output);

 private:
  struct Input {
    std::string name;
    Value value;
    std::vector<float> values;  // empty: the file's
  };
  struct State {
    std::string before, after;
    Value value;
    Buffer memory;
  };
  std::string path(const std::string& array) const { return name_ + "/" + array; }

  GoldenResults& results_;
  std::string name_;
  Graph graph_;
  std::vector<Input> inputs_;
  std::vector<State> states_;
};

}  // namespace ipa::test
