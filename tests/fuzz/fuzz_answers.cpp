// What a hijacked child could answer: the bytes are the answers to the questions that reading a stack asks, each after
// its length.
#include "io/stack.h"
#include "tests/fuzz/fuzz_input.h"

namespace {

class Liar : public ipa::ForeignReader {
 public:
  explicit Liar(std::string_view lies) : lies_(lies) {}
  std::string ask(const std::string&, std::span<char> rows) override {
    if (lies_.empty()) ipa::fail(ipa::ErrorKind::input, "no more answers");
    const size_t length = std::min<size_t>(static_cast<unsigned char>(lies_[0]), lies_.size() - 1);
    const std::string lie(lies_.substr(1, length));
    lies_.remove_prefix(1 + length);
    if (!rows.empty()) std::fill(rows.begin(), rows.end(), lie.empty() ? '\0' : lie[0]);
    return rows.empty() ? lie : "";
  }

 private:
  std::string_view lies_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  fuzz::expect_error_at_most([&] {
    const ipa::ForeignFile file("lies.h5", 1 << 20,
                                std::make_unique<Liar>(std::string_view(reinterpret_cast<const char*>(data), size)));
    file.members();
    file.exists("images");
    const ipa::ForeignDataset images = file.dataset("images");
    if (images.type()) images.read<double>();
    file.numbers("/", "intensity_range");
    file.text("/", "modality");
    file.read_strings("subject");
  });
  return 0;
}
