#include "io/report.h"

#include <catch2/catch.hpp>
#include <cmath>
#include <cstdlib>

#include "engine/error.h"
#include "tests/support/bytes.h"
#include "tests/support/python.h"
#include "tests/support/temporary_folder.h"

namespace {

const std::string kHostile = "<script>alert('x')</script> & \"y\"";

ipa::Image8 picture(int channels, int phase) {
  ipa::Image8 image{64, 64, channels, {}};
  for (int y = 0; y < 64; ++y)
    for (int x = 0; x < 64; ++x)
      for (int c = 0; c < channels; ++c)
        image.pixels.push_back(static_cast<uint8_t>(128 + 100 * std::sin(0.1 * (x + phase) + c) * std::cos(0.1 * y)));
  return image;
}

ipa::Report sample() {
  ipa::Report r;
  r.title = "ipA-MedGAN: evaluation " + kHostile;
  r.subtitle = "13 subjects, 439 slices";
  r.highlights = {{"24.1 dB", "PSNR in the mask", "corrupted input: 12.3 dB"}, {"0.981", "SSIM, whole image", ""}};
  r.scores =
      ipa::FigureTable{{"corrupted", "composite"}, {"whole", "mask"}, {{"SSIM", 3, true}, {"MSE", 1, false}}, {}};
  r.scores->figures = {{0.9, 0.1},   {300., 20.}, {0.1, 0.05}, {{}, {}},
                       {0.95, 0.02}, {25., 4.},   {0.6, 0.2},  {410.5, {}}};
  r.false_change = ipa::Report::FalseChange{0.00123, 0.0875, 64};
  for (const char* rank : {"worst", "median", "best"})
    r.cases.push_back({rank,
                       "subject TCGA_07, slice 41",
                       {{"input", picture(1, 0)},
                        {"output", picture(1, 9)},
                        {"target", picture(1, 20)},
                        {"difference", picture(3, 0)},
                        {"change map", picture(3, 40)}},
                       {{"PSNR in mask", "21.3 dB"}, {"SSIM", "0.91"}}});
  r.subjects = {{"subject", "slices", "PSNR"}, {{kHostile, "31", "24.1 dB"}, {"b", "40", "19.9 dB"}}};
  ipa::Chart losses{"Losses", {{"total", {}}, {"adversarial", {}}}, true},
      score{"In-mask PSNR of the validation (dB)", {{"psnr", {}}}, false};
  for (int step = 1; step <= 5000; ++step) {
    const double noise = 1 + 0.2 * std::sin(12.9898 * step);
    losses.series[0].points.emplace_back(step, 30 * std::exp(-step / 900.) * noise + 2);
    losses.series[1].points.emplace_back(step, step == 700 ? NAN : 1.4 * noise);
    if (step % 500 == 0) score.series[0].points.emplace_back(step, 24 - 10 * std::exp(-step / 1500.));
  }
  r.curves = {losses, score, {"Nothing yet", {{"a", {}}}, false}, {"One value", {{"a", {{5, 5}}}}, false}};
  for (int i = 0; i < 14; ++i)
    r.settings.emplace_back("train.key" + std::to_string(i), i % 2 ? "2e-4" : "\"arbitrary\"");
  r.footer = "ipamedgan 0.1.0";
  return r;
}

}  // namespace

TEST_CASE("the report is well-formed, whole and escaped, and needs nothing from elsewhere", "[io]") {
  TemporaryFolder folder;
  const ipa::Report report = sample();
  ipa::write_report(folder / "report.html", report, false);
  if (const char* copy = std::getenv("IPA_REPORT_COPY")) ipa::write_report(copy, report, true);  // to look at it
  CHECK(python(folder.path, R"(
import base64, re
from html.parser import HTMLParser
VOID = {"meta", "img"}
class Check(HTMLParser):
    def __init__(self):
        super().__init__()
        self.open, self.tags, self.text = [], [], ""
    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID: self.open.append(tag)
    def handle_startendtag(self, tag, attrs): self.tags.append((tag, dict(attrs)))
    def handle_endtag(self, tag): assert self.open.pop() == tag, (tag, self.getpos())
    def handle_data(self, data): self.text += data
page = open("report.html", encoding="utf-8").read()
check = Check(); check.feed(page); check.close()
assert not check.open
names = [tag for tag, _ in check.tags]
assert "script" not in names and "link" not in names and names.count("img") == 15 and names.count("svg") == 3
for tag, attrs in check.tags:
    for name, value in attrs.items():
        assert not name.startswith("on") and name != "href"
        if name == "src":
            assert base64.b64decode(value.removeprefix("data:image/png;base64,"), validate=True).startswith(b"\x89PNG")
        if name == "d": assert re.fullmatch(r"M[-0-9. L]+Z?", value), value[:80]
assert not re.search(r"url\(|@import|https?://", page)
for wanted in ["<script>alert('x')</script> & \"y\"", "Research use only. Synthesised content; not for diagnostic use.", "0.123 %",
               "13 subjects", "0.600", "± 0.200", "–", "410.5", "worst", "change map", "No values.", "train.key13", "24.1 dB"]:
    assert wanted in check.text, wanted
)"));
  const std::string page = read_bytes(folder / "report.html");
  CHECK_THAT(page, Catch::Contains("<td class=\"n best\">25.0<small>± 4.0</small></td>"));  // the lower MSE
  CHECK_THAT(page, Catch::Contains("<td class=\"n\">300.0"));
  CHECK_THAT(page, Catch::Contains("<td class=\"n\">24.1 dB</td>"));

  ipa::Report equal = sample();
  equal.scores->metrics[0].name = "PSNR";
  equal.scores->figures[0] = {INFINITY, {}};
  CHECK_THAT(ipa::render_report(equal), Catch::Contains("<td class=\"n best\">∞</td>"));
}

TEST_CASE("a report of a title alone is a report; wrong counts of figures are our defect", "[io]") {
  ipa::Report report;
  report.title = "empty";
  CHECK_THAT(ipa::render_report(report), Catch::Contains("not for diagnostic use") && !Catch::Contains("<section>"));
  report.scores = ipa::FigureTable{{"a"}, {"b"}, {{"c", 3, true}}, {}};
  CHECK_THROWS_AS(ipa::render_report(report), ipa::Error);
}
