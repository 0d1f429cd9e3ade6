#include "io/chart.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <iterator>

#include "io/html.h"

namespace ipa {
namespace {

constexpr double kWidth = 560, kHeight = 250, kLeft = 58, kRight = 22, kTop = 10, kBottom = 30;
constexpr size_t kIntervals = 240;

struct Interval {
  double step, mean, least, greatest;
};

std::vector<Interval> thin(const Series& series, bool logarithmic) {
  std::vector<std::pair<double, double>> points;
  for (auto [step, value] : series.points)
    if (std::isfinite(step) && std::isfinite(value) && (!logarithmic || value > 0))
      points.emplace_back(step, logarithmic ? std::log10(value) : value);
  std::vector<Interval> intervals;
  const size_t count = std::min(points.size(), kIntervals);
  for (size_t i = 0; i < count; ++i) {
    const size_t first = i * points.size() / count, end = (i + 1) * points.size() / count;
    Interval interval{0, 0, points[first].second, points[first].second};
    for (size_t k = first; k < end; ++k) {
      interval.step += points[k].first / static_cast<double>(end - first);
      interval.mean += points[k].second / static_cast<double>(end - first);
      interval.least = std::min(interval.least, points[k].second);
      interval.greatest = std::max(interval.greatest, points[k].second);
    }
    intervals.push_back(interval);
  }
  return intervals;
}

// Maps [low, high] onto [from, to] of the picture.
struct Axis {
  double low, high, from, to;
  double operator()(double value) const { return from + (value - low) / (high - low) * (to - from); }

  void widen(double by) {  // where there is one value only
    if (high > low) return;
    low -= by;
    high += by;
  }

  std::vector<double> ticks(int about) const {  // multiples of 1, 2 or 5 times a power of ten
    const double raw = (high - low) / about, power = std::pow(10, std::floor(std::log10(raw)));
    const double step = power * (raw / power < 1.5 ? 1 : raw / power < 3.5 ? 2 : raw / power < 7.5 ? 5 : 10);
    std::vector<double> at;
    for (double k = std::ceil(low / step - 1e-9); k * step <= high + 1e-9 * step; ++k) at.push_back(k * step);
    return at;
  }
};

// For an axis of base-10 logarithms: 1, 2 and 5 times the powers of ten, the powers alone, or plain ticks, whichever
// suits.
std::vector<double> logarithmic_ticks(const Axis& axis) {
  std::vector<double> powers, fine;
  for (double k = std::floor(axis.low); k <= axis.high; ++k)
    for (int digit : {1, 2, 5}) {
      const double at = k + std::log10(digit);
      if (at < axis.low || at > axis.high) continue;
      fine.push_back(at);
      if (digit == 1) powers.push_back(at);
    }
  return fine.size() < 3 ? axis.ticks(5) : fine.size() > 9 ? powers : fine;
}

std::string path_of(const std::vector<Interval>& line, const Axis& x, const Axis& y) {
  std::string d;
  for (const Interval& i : line)
    fmt::format_to(std::back_inserter(d), "{}{:.1f} {:.1f}", d.empty() ? "M" : "L", x(i.step), y(i.mean));
  return d;
}

std::string band_of(const std::vector<Interval>& line, const Axis& x, const Axis& y) {
  std::string d;
  for (const Interval& i : line)
    fmt::format_to(std::back_inserter(d), "{}{:.1f} {:.1f}", d.empty() ? "M" : "L", x(i.step), y(i.greatest));
  for (auto i = line.rbegin(); i != line.rend(); ++i)
    fmt::format_to(std::back_inserter(d), "L{:.1f} {:.1f}", x(i->step), y(i->least));
  return d + "Z";
}

}  // namespace

std::string render_chart(const Chart& chart) {
  std::vector<std::vector<Interval>> lines;
  Axis x{INFINITY, -INFINITY, kLeft, kWidth - kRight}, y{INFINITY, -INFINITY, kHeight - kBottom, kTop};
  for (const Series& series : chart.series) {
    lines.push_back(thin(series, chart.logarithmic));
    for (const Interval& i : lines.back()) {
      x.low = std::min(x.low, i.step);
      x.high = std::max(x.high, i.step);
      y.low = std::min(y.low, i.least);
      y.high = std::max(y.high, i.greatest);
    }
  }
  std::string out = fmt::format("<figure class=\"chart\"><figcaption>{}", escape_html(chart.title));
  const auto add = [&](fmt::string_view format, const auto&... values) {
    fmt::vformat_to(std::back_inserter(out), format, fmt::make_format_args(values...));
  };
  if (chart.series.size() > 1)
    for (size_t s = 0; s < chart.series.size(); ++s)
      add("<span class=\"key s{}\">{}</span>", s % 6, escape_html(chart.series[s].name));
  out += "</figcaption>";
  if (!(x.low <= x.high)) return out + "<p class=\"muted\">No values.</p></figure>\n";
  x.widen(1);
  y.widen(std::max(0.05 * std::abs(y.low), 1e-3));
  const double margin = 0.04 * (y.high - y.low);
  y.low -= margin;
  y.high += margin;

  add("<svg viewBox=\"0 0 {} {}\" role=\"img\" aria-label=\"{}\">", kWidth, kHeight, escape_html(chart.title));
  for (double tick : chart.logarithmic ? logarithmic_ticks(y) : y.ticks(5)) {
    add("<line class=\"grid\" x1=\"{0}\" x2=\"{1}\" y1=\"{2:.1f}\" y2=\"{2:.1f}\"/>", kLeft, kWidth - kRight, y(tick));
    const double shown = chart.logarithmic ? std::pow(10, tick) : tick;
    add("<text class=\"y\" x=\"{}\" y=\"{:.1f}\">{:.4g}</text>", kLeft - 8, y(tick) + 4, shown);
  }
  for (double tick : x.ticks(6))
    add("<text class=\"x\" x=\"{:.1f}\" y=\"{}\">{:.7g}</text>", x(tick), kHeight - 10, tick);
  for (size_t s = 0; s < lines.size(); ++s) {
    if (lines[s].size() == kIntervals) add("<path class=\"band s{}\" d=\"{}\"/>", s % 6, band_of(lines[s], x, y));
    if (lines[s].size() == 1)
      add("<circle class=\"dot s{}\" cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"3\"/>", s % 6, x(lines[s][0].step),
          y(lines[s][0].mean));
    else if (!lines[s].empty())
      add("<path class=\"line s{}\" d=\"{}\"/>", s % 6, path_of(lines[s], x, y));
  }
  return out + "</svg></figure>\n";
}

}  // namespace ipa
