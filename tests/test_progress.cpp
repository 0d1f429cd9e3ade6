#include "apps/progress.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <memory>

using namespace ipa;

namespace {

using FilePointer = std::unique_ptr<std::FILE, int (*)(std::FILE*)>;

std::string content(std::FILE* file) {
  std::rewind(file);
  std::string text(4096, '\0');
  text.resize(std::fread(text.data(), 1, text.size(), file));
  return text;
}

}  // namespace

TEST_CASE("the text of a progress line", "[progress]") {
  const ProgressStyle plain, terminal{true, false, 80}, narrow{true, false, 20};
  CHECK(progress_text(plain, "train", "step", 3, 400, 0, "") == "train 3/400");
  CHECK(progress_text(plain, "train", "step", 100, 400, 2.5, "psnr 31") ==
        "train 100/400 2.50 step/s, 2:00 left  psnr 31");
  CHECK(progress_text(plain, "train", "step", 400, 400, 2.5, "") == "train 400/400 2.50 step/s");
  CHECK(progress_text(plain, "train", "step", 100, 400, 1234.5, "") == "train 100/400 1234 step/s, 0:00 left");
  CHECK(progress_text(plain, "prepare", "", 25, 100, 2.5, "a.h5") == "prepare 25/100 0:30 left  a.h5");
  CHECK(progress_text(plain, "train", "step", 0, 36000, 1, "") == "train 0/36000 1.00 step/s, 10:00:00 left");
  CHECK(progress_text(terminal, "train", "step", 200, 400, 0, "") == "train 200/400 [============>           ]");
  CHECK(progress_text(terminal, "train", "step", 400, 400, 0, "") == "train 400/400 [========================]");
  CHECK(progress_text(narrow, "train", "step", 200, 400, 0, "").size() == 19);
  CHECK(progress_text(terminal, "x", "step", 5, 0, 0, "") == "x 0/0 [>                       ]");
}

TEST_CASE("where there is no terminal, progress is lines without control characters", "[progress]") {
  const FilePointer file(std::tmpfile(), &std::fclose);
  {
    Progress progress("inpaint", "slice", 3, false, 0, 0, file.get());
    for (int i = 1; i <= 3; ++i) progress.update(i);
    progress.note("done");
  }
  const std::string text = content(file.get());
  CHECK(std::count(text.begin(), text.end(), '\n') == 4);
  CHECK(text.find_first_of("\r\x1b") == text.npos);
  CHECK(text.starts_with("inpaint 1/3 "));
  CHECK(text.ends_with("\ndone\n"));
}

TEST_CASE("lines keep their distance, but the last is shown", "[progress]") {
  const FilePointer file(std::tmpfile(), &std::fclose);
  {
    Progress progress("inpaint", "slice", 100, false, 3600, 0, file.get());
    for (int i = 1; i <= 100; ++i) progress.update(i);
    progress.update(100);
  }
  const std::string text = content(file.get());
  CHECK(std::count(text.begin(), text.end(), '\n') == 1);
  CHECK(text.starts_with("inpaint 100/100 "));
}

TEST_CASE("quiet means nothing", "[progress]") {
  const FilePointer file(std::tmpfile(), &std::fclose);
  {
    Progress progress("inpaint", "slice", 1, true, 0, 0, file.get());
    progress.update(1);
    progress.note("done");
  }
  CHECK(content(file.get()).empty());
}
