#include "io/report.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <iterator>

#include "engine/error.h"
#include "io/atomic_file.h"
#include "io/base64.h"
#include "io/html.h"
#include "io/report_style.h"

namespace ipa {
namespace {

class Page {
 public:
  template <class... Values>
  void add(fmt::format_string<Values...> format, Values&&... values) {
    fmt::format_to(std::back_inserter(text_), format, std::forward<Values>(values)...);
  }
  void raw(std::string_view html) { text_ += html; }
  std::string take() { return std::move(text_); }

 private:
  std::string text_;
};

bool is_number(const std::string& cell) {
  char* end = nullptr;
  std::strtod(cell.c_str(), &end);
  return end != cell.c_str() && std::string_view(end).find_first_not_of(" %dB") == std::string_view::npos;
}

void add_highlights(Page& page, const Report& report) {
  if (report.highlights.empty()) return;
  page.raw("<div class=\"tiles\">\n");
  for (const auto& [value, label, note] : report.highlights) {
    page.add("<div class=\"tile\"><b>{}</b><span>{}</span>", escape_html(value), escape_html(label));
    if (!note.empty()) page.add("<span class=\"muted\">{}</span>", escape_html(note));
    page.raw("</div>\n");
  }
  page.raw("</div>\n");
}

std::string figure_text(double value, int decimals) {
  return std::isinf(value) ? "∞" : fmt::format("{:.{}f}", value, decimals);
}

// The best mean of a metric in a region, as it is printed: figures that look the same are equally good.
std::string best_of(const FigureTable& t, size_t region, size_t metric) {
  std::optional<double> best;
  for (size_t method = 0; method < t.methods.size(); ++method) {
    const auto mean = t.figures[(method * t.regions.size() + region) * t.metrics.size() + metric].mean;
    if (mean && !std::isnan(*mean) && (!best || (t.metrics[metric].higher_is_better ? *mean > *best : *mean < *best)))
      best = mean;
  }
  return best ? figure_text(*best, t.metrics[metric].decimals) : "";
}

void add_scores(Page& page, const FigureTable& t) {
  require(t.figures.size() == t.methods.size() * t.regions.size() * t.metrics.size(), "report: a figure per cell");
  page.raw("<section><h2>Scores</h2><div class=\"wide\"><table><thead><tr><th></th>");
  for (const auto& metric : t.metrics)
    page.add("<th class=\"n\">{} {}</th>", escape_html(metric.name), metric.higher_is_better ? "↑" : "↓");
  page.raw("</tr></thead>\n");
  for (size_t region = 0; region < t.regions.size(); ++region) {
    page.add("<tbody><tr class=\"region\"><th colspan=\"{}\">{}</th></tr>\n", t.metrics.size() + 1,
             escape_html(t.regions[region]));
    for (size_t method = 0; method < t.methods.size(); ++method) {
      page.add("<tr><th>{}</th>", escape_html(t.methods[method]));
      for (size_t metric = 0; metric < t.metrics.size(); ++metric) {
        const auto& figure = t.figures[(method * t.regions.size() + region) * t.metrics.size() + metric];
        const int decimals = t.metrics[metric].decimals;
        const std::string mean = figure.mean ? figure_text(*figure.mean, decimals) : "–";
        page.add("<td class=\"n{}\">{}", figure.mean && mean == best_of(t, region, metric) ? " best" : "", mean);
        if (figure.mean && figure.std) page.add("<small>± {:.{}f}</small>", *figure.std, decimals);
        page.raw("</td>");
      }
      page.raw("</tr>\n");
    }
    page.raw("</tbody>\n");
  }
  page.raw("</table></div></section>\n");
}

void add_false_change(Page& page, const Report::FalseChange& f) {
  page.add(
      "<section><h2>Clean slices</h2><p>Given {} slices without any hole, {:.3f} % of the pixels were changed "
      "(false-change rate), at a change threshold of {:.4g} on the scale [-1, 1].</p></section>\n",
      f.slices, 100 * f.rate, f.threshold);
}

void add_case(Page& page, const ReportCase& c) {
  page.add("<div class=\"case\"><header><span class=\"rank\">{}</span><span>{}</span><dl>", escape_html(c.rank),
           escape_html(c.caption));
  for (const auto& [name, value] : c.figures)
    page.add("<div><dt>{}</dt><dd>{}</dd></div>", escape_html(name), escape_html(value));
  page.raw("</dl></header><div class=\"panels\">\n");
  for (const auto& [name, image] : c.panels)
    page.add(
        "<figure><img alt=\"{0}\" width=\"{1}\" height=\"{2}\" src=\"data:image/png;base64,{3}\">"
        "<figcaption>{0}</figcaption></figure>\n",
        escape_html(name), image.width, image.height, base64(encode_png(image)));
  page.raw("</div></div>\n");
}

void add_table(Page& page, std::string_view title, const TextTable& t) {
  std::vector<const char*> align;
  for (size_t column = 0; column < t.columns.size(); ++column)
    align.push_back(
        std::ranges::all_of(t.rows, [&](const auto& row) { return is_number(row.at(column)); }) ? " class=\"n\"" : "");
  page.add("<section><h2>{}</h2><div class=\"wide\"><table><thead><tr>", title);
  for (size_t column = 0; column < t.columns.size(); ++column)
    page.add("<th{}>{}</th>", align[column], escape_html(t.columns[column]));
  page.raw("</tr></thead><tbody>\n");
  for (const auto& row : t.rows) {
    require(row.size() == t.columns.size(), "report: a cell per column");
    page.raw("<tr>");
    for (size_t column = 0; column < row.size(); ++column)
      page.add("<td{}>{}</td>", align[column], escape_html(row[column]));
    page.raw("</tr>\n");
  }
  page.raw("</tbody></table></div></section>\n");
}

}  // namespace

std::string render_report(const Report& report) {
  Page page;
  page.add(
      "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>{}</title>"
      "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\"><style>",
      escape_html(report.title));
  page.raw(kReportStyle);
  page.add("</style></head>\n<body><main><h1>{}</h1>", escape_html(report.title));
  if (!report.subtitle.empty()) page.add("<p class=\"muted\">{}</p>", escape_html(report.subtitle));
  page.add("\n<div class=\"notice\" role=\"note\">{}</div>\n", escape_html(report.notice));
  add_highlights(page, report);
  if (report.scores) add_scores(page, *report.scores);
  if (report.false_change) add_false_change(page, *report.false_change);
  if (!report.cases.empty()) {
    page.raw("<section><h2>Cases</h2>\n");
    for (const ReportCase& c : report.cases) add_case(page, c);
    page.raw("</section>\n");
  }
  if (!report.subjects.rows.empty()) add_table(page, "Subjects", report.subjects);
  if (!report.curves.empty()) {
    page.raw("<section><h2>Training</h2><div class=\"charts\">\n");
    for (const Chart& chart : report.curves) page.raw(render_chart(chart));
    page.raw("</div></section>\n");
  }
  if (!report.settings.empty()) {
    page.raw("<section><h2>Settings</h2><dl class=\"settings\">\n");
    for (const auto& [key, value] : report.settings)
      page.add("<div><dt>{}</dt><dd>{}</dd></div>\n", escape_html(key), escape_html(value));
    page.raw("</dl></section>\n");
  }
  page.add("<footer>{}</footer></main></body></html>\n", escape_html(report.footer));
  return page.take();
}

void write_report(const std::filesystem::path& path, const Report& report, bool overwrite) {
  write_file(path, render_report(report), overwrite);
}

}  // namespace ipa
