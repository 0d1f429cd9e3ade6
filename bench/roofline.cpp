#include "bench/roofline.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>

#include "io/html.h"

namespace ipa::bench {
namespace {

constexpr double width = 1180, left = 70, right = 660, top = 130, bottom = 490, height = 560, list_at = 690,
                 label_at = 78;
constexpr std::size_t most = 24;

struct Axis {  // logarithmic, over whole decades
  double low, high, from, to;
  double operator()(double v) const {
    return from + (std::log10(v) - std::log10(low)) / (std::log10(high) - std::log10(low)) * (to - from);
  }
};
double decade_below(double v) { return std::pow(10, std::floor(std::log10(v))); }
double decade_above(double v) { return std::pow(10, std::ceil(std::log10(v))); }

struct Mark {
  int number;
  const Row* row;
  double x = 0, label = 0;  // where its line stands and where its number
};

// Numbers side by side above the picture, in all as near to their lines as may be: where neighbours would collide, a
// group of them is centred above its lines (isotonic regression by pooling adjacent violators).
void place_labels(std::vector<Mark>& marks) {
  constexpr double apart = 21;
  std::sort(marks.begin(), marks.end(), [](const Mark& a, const Mark& b) { return a.x < b.x; });
  struct Group {
    double sum;  // of the places that its first label would have for each of its lines
    std::size_t count;
    double place() const { return sum / static_cast<double>(count); }
  };
  std::vector<Group> groups;
  for (std::size_t i = 0; i < marks.size(); ++i) {
    groups.push_back({marks[i].x - apart * static_cast<double>(i), 1});
    while (groups.size() > 1 && groups[groups.size() - 2].place() > groups.back().place()) {
      const Group last = groups.back();
      groups.pop_back();
      groups.back() = {groups.back().sum + last.sum, groups.back().count + last.count};
    }
  }
  std::size_t i = 0;
  for (const Group& g : groups)
    for (std::size_t k = 0; k < g.count; ++k, ++i) {
      const double at = apart * static_cast<double>(i);
      const double last_place = right - apart * static_cast<double>(marks.size() - 1);
      marks[i].label = std::clamp(g.place(), left, std::max(left, last_place)) + at;
    }
}

std::string text_at(double x, double y, const std::string& text, const char* anchor = "start", const char* more = "") {
  return fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"{}\"{}>{}</text>\n", x, y, anchor, more,
                     escape_html(text));
}

std::string line(double x1, double y1, double x2, double y2, const char* style) {
  return fmt::format("<line x1=\"{:.1f}\" y1=\"{:.1f}\" x2=\"{:.1f}\" y2=\"{:.1f}\" {}/>\n", x1, y1, x2, y2, style);
}

std::string rate_text(double gflop_s) {
  return gflop_s >= 1000 ? fmt::format("{:g} TFLOP/s", gflop_s / 1000) : fmt::format("{:g} GFLOP/s", gflop_s);
}

}  // namespace

std::string roofline_svg(const std::string& title, const StepTable& table, const Roof& roof) {
  const bool measured = table.all.seconds.has_value();
  auto weight = [](const Row& r) { return r.seconds.value_or(r.least_seconds); };
  std::vector<Mark> marks, listed;
  for (const Row& r : table.kinds) {
    if (listed.size() == most || weight(r) < 1e-3 * weight(table.all)) break;
    listed.push_back({static_cast<int>(listed.size()) + 1, &r});
    if (r.cost.flops > 0) marks.push_back(listed.back());
  }
  auto attainable = [&](double intensity) { return std::min(roof.gflop_s, intensity * roof.copy_gb_s); };
  double low_x = roof.gflop_s / roof.copy_gb_s, high_x = low_x, low_y = roof.gflop_s, high_y = low_y;
  for (const Mark& m : marks) {
    const double x = m.row->intensity(), y = attainable(x),
                 reached = m.row->seconds ? m.row->cost.flops * 1e-9 / *m.row->seconds : y;
    low_x = std::min(low_x, x), high_x = std::max(high_x, x);
    low_y = std::min({low_y, y, reached}), high_y = std::max(high_y, reached);
  }
  const Axis x{decade_below(low_x), decade_above(high_x * 1.2), left, right},
      y{decade_below(low_y), decade_above(high_y * 1.2), bottom, top};

  std::string svg = fmt::format(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {0} {1}\" width=\"{0}\" height=\"{1}\" "
      "font-family=\"sans-serif\" font-size=\"12\" fill=\"#222\">\n<rect width=\"{0}\" height=\"{1}\" "
      "fill=\"#fff\"/>\n",
      width, height);
  svg += text_at(left, 24, (measured ? "" : "PREDICTED, not measured: ") + title, "start",
                 " font-size=\"15\" font-weight=\"bold\"");
  svg += text_at(left, 44,
                 fmt::format("Roof ({}): {:g} GB/s, {}. A tick on the roof: the most that a kind of op can reach{}",
                             roof.name, std::round(roof.copy_gb_s * 10) / 10, rate_text(std::round(roof.gflop_s)),
                             measured ? "; a dot: what it reached." : "."));
  for (double v = x.low; v <= x.high * 1.01; v *= 10) {
    svg += line(x(v), top, x(v), bottom, "stroke=\"#ddd\"");
    svg += text_at(x(v), bottom + 18, fmt::format("{:g}", v), "middle");
  }
  for (double v = y.low; v <= y.high * 1.01; v *= 10) {
    svg += line(left, y(v), right, y(v), "stroke=\"#ddd\"");
    svg += text_at(left - 6, y(v) + 4, v < 1000 ? fmt::format("{:g} G", v) : fmt::format("{:g} T", v / 1000), "end");
  }
  svg += text_at((left + right) / 2, bottom + 40, "arithmetic intensity, FLOP/byte", "middle");
  svg += text_at(16, (top + bottom) / 2, "FLOP/s", "middle",
                 fmt::format(" transform=\"rotate(-90 16 {:.1f})\"", (top + bottom) / 2).c_str());

  const double ridge = roof.gflop_s / roof.copy_gb_s, first = std::max(x.low, y.low / roof.copy_gb_s);
  svg += fmt::format(
      "<polyline points=\"{:.1f},{:.1f} {:.1f},{:.1f} {:.1f},{:.1f}\" fill=\"none\" stroke=\"#222\" "
      "stroke-width=\"2\"/>\n",
      x(first), y(attainable(first)), x(ridge), y(roof.gflop_s), right, y(roof.gflop_s));

  for (Mark& m : marks) m.x = x(m.row->intensity());
  place_labels(marks);
  for (const Mark& m : marks) {
    const double on_roof = y(attainable(m.row->intensity()));
    const double reached = m.row->seconds ? y(m.row->cost.flops * 1e-9 / *m.row->seconds) : on_roof;
    svg += text_at(m.label, label_at, std::to_string(m.number), "middle");
    svg += fmt::format(
        "<polyline points=\"{:.1f},{:.1f} {:.1f},{:.1f} {:.1f},{:.1f}\" fill=\"none\" stroke=\"#7aa6d8\" "
        "stroke-width=\"0.7\"/>\n",
        m.label, label_at + 4, m.x, top, m.x, std::max(on_roof, reached));
    svg += line(m.x, on_roof - 6, m.x, on_roof + 6, "stroke=\"#1f5fa8\" stroke-width=\"2\"");
    if (m.row->seconds)
      svg += fmt::format("<circle cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"3.5\" fill=\"#c8501e\"/>\n", m.x, reached);
  }

  svg += text_at(list_at, 74, "kind of op", "start", " font-weight=\"bold\"");
  svg += text_at(1010, 74, "launches", "end", " font-weight=\"bold\"");
  svg += text_at(1085, 74, "floor ms", "end", " font-weight=\"bold\"");
  svg += text_at(1160, 74, measured ? "ms" : "% of floor", "end", " font-weight=\"bold\"");
  double at = 96;
  for (const Mark& m : listed) {
    svg += text_at(list_at, at,
                   fmt::format("{} {}", m.number, m.row->name) + (m.row->cost.flops > 0 ? "" : " (moves only)"));
    svg += text_at(1010, at, std::to_string(m.row->launches), "end");
    svg += text_at(1085, at, fmt::format("{:.3f}", m.row->least_seconds * 1e3), "end");
    svg += text_at(1160, at,
                   m.row->seconds ? fmt::format("{:.3f}", *m.row->seconds * 1e3)
                                  : fmt::format("{:.1f}", 100 * m.row->least_seconds / table.all.least_seconds),
                   "end");
    at += 17;
  }
  return svg + "</svg>\n";
}

}  // namespace ipa::bench
