#include "bench/step_table.h"

#include <fmt/core.h>

#include <algorithm>

#include "graph/cost.h"

namespace ipa::bench {
namespace {

Row& row_named(std::vector<Row>& rows, const std::string& name) {
  const auto found = std::find_if(rows.begin(), rows.end(), [&](const Row& r) { return r.name == name; });
  if (found != rows.end()) return *found;
  rows.push_back({.name = name});
  return rows.back();
}

void lines(std::string& text, const char* what, const std::vector<Row>& rows, const Row& all) {
  text += fmt::format("{:<42}{:>8}{:>9}{:>10}{:>10}{:>7}", what, "launches", "GB", "GFLOP", "floor ms", "%");
  if (all.seconds)
    text += fmt::format("{:>10}{:>7}{:>10}{:>8}{:>9}{:>10}", "ms", "%", "gap ms", "% roof", "GB/s", "GFLOP/s");
  text += '\n';
  auto line = [&](const Row& r) {
    text += fmt::format("{:<42}{:>8}{:>9.3f}{:>10.2f}{:>10.3f}{:>7.1f}", r.name, r.launches, r.cost.bytes * 1e-9,
                        r.cost.flops * 1e-9, r.least_seconds * 1e3, 100 * r.least_seconds / all.least_seconds);
    if (const double s = r.seconds.value_or(0); r.seconds)
      text += fmt::format("{:>10.2f}{:>7.1f}{:>10.2f}{:>8.1f}{:>9.1f}{:>10.1f}", s * 1e3, 100 * s / *all.seconds,
                          (s - r.least_seconds) * 1e3, 100 * r.least_seconds / s, r.cost.bytes * 1e-9 / s,
                          r.cost.flops * 1e-9 / s);
    text += '\n';
  };
  for (const Row& r : rows) line(r);
  line(all);
}

}  // namespace

std::string part_of(const std::string& scope) {
  if (scope.empty()) return "input";
  auto first = [](const std::string& s) { return s.substr(0, s.find('.')); };
  auto rest = [](const std::string& s) { return s.find('.') == s.npos ? std::string() : s.substr(s.find('.') + 1); };
  const std::string phase = first(scope);
  std::string inner = rest(scope), direction = "forward ";
  if (inner.starts_with("d ")) {  // of a forward node, whose scope begins with its phase
    direction = "backward ";
    inner = rest(inner);
  }
  if (inner == "Adam") return phase + ": Adam";
  return phase + ": " + direction + (inner.empty() ? "losses" : first(inner));
}

std::string shapes_of(const Graph& graph, const Graph::Node& node) {
  std::string shapes;
  for (const Value& v : node.inputs)
    if (v) shapes += " " + to_string(graph.info(v).spec.shape);
  shapes += " to";
  for (const Value& v : node.outputs) shapes += " " + to_string(graph.info(v).spec.shape);
  return shapes;
}

StepTable tabulate(const Graph& graph, const Plan& plan, const Roof& roof, const std::vector<double>* seconds,
                   bool shapes) {
  StepTable table{.all = {.name = "all"}};
  for (std::size_t s = 0; s < plan.steps.size(); ++s) {
    const Graph::Node& node = graph.nodes()[static_cast<std::size_t>(plan.steps[s].node)];
    const Cost cost = cost_on(plan.device, graph, node);
    const double least = roof.least_seconds(cost);
    const std::string kind = node.op->name() + (shapes ? shapes_of(graph, node) : "");
    for (Row* row : {&table.all, &row_named(table.parts, part_of(node.scope)), &row_named(table.kinds, kind)}) {
      ++row->launches;
      row->cost.bytes += cost.bytes;
      row->cost.flops += cost.flops;
      row->least_seconds += least;
      if (least > cost.flops * 1e-9 / roof.gflop_s) row->least_by_bytes += least;
      if (seconds) row->seconds = row->seconds.value_or(0) + (*seconds)[s];
    }
  }
  std::stable_sort(table.kinds.begin(), table.kinds.end(), [](const Row& a, const Row& b) {
    return a.seconds.value_or(a.least_seconds) > b.seconds.value_or(b.least_seconds);
  });
  return table;
}

std::string to_text(const StepTable& table) {
  std::string text;
  lines(text, "part", table.parts, table.all);
  text += '\n';
  lines(text, "kind of op", table.kinds, table.all);
  return text;
}

}  // namespace ipa::bench
