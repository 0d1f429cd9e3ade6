#include "io/foreign_file.h"

#include <signal.h>

#include <catch2/catch.hpp>
#include <fstream>
#include <thread>

#include "io/stack.h"
#include "tests/support/before_tests.h"
#include "tests/support/error_kind.h"
#include "tests/support/python.h"
#include "tests/support/temporary_folder.h"

using ipa::ForeignFile;

// Children are this program, as with ipamedgan.
std::optional<int> before_tests(int argc, char** argv) { return ipa::serve_foreign_files(argc, argv); }

namespace {

std::filesystem::path make_file(const TemporaryFolder& folder) {
  REQUIRE(python(folder.path, R"(
import h5py, numpy as np
with h5py.File('a.h5', 'w') as f:
    f['images'] = np.arange(40 * 30 * 20, dtype='>u2').reshape(40, 30, 20)
    f['names'] = ['ab', 'ü']
    f['odd'] = np.zeros(2, [('a', 'f4')])
    f['group/scalar'] = 7.5
    f['none'] = np.zeros((0, 3), 'f4')
    f.attrs['range'] = np.array([-1, 4095], '>i4')
    f.attrs['text'] = 'flüssig'
    f.attrs['odd'] = np.zeros(2, [('a', 'f4')])
)"));
  return folder / "a.h5";
}

bool gone(int process) {  // no longer a child of ours either
  for (int i = 0; i < 1000 && ::kill(process, 0) == 0; ++i) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  return ::kill(process, 0) != 0;
}

}  // namespace

TEST_CASE("a child answers everything as the file says", "[io]") {
  TemporaryFolder folder;
  const auto path = make_file(folder);
  int process = 0;
  {
    const ForeignFile file = ForeignFile::open(path);
    process = file.process();
    REQUIRE(process > 0);
    CHECK(file.path() == path);
    CHECK(file.members() == std::vector<std::string>{"group", "images", "names", "none", "odd"});
    CHECK(file.exists("group/scalar"));
    CHECK_FALSE(file.exists("group/other"));
    CHECK(file.is_group("group"));
    CHECK_FALSE(file.is_group("images"));
    CHECK(file.attributes() == std::vector<std::string>{"odd", "range", "text"});
    CHECK(file.has_attribute("/", "range"));
    CHECK_FALSE(file.has_attribute("/", "nothing"));
    CHECK(file.numbers("/", "range") == std::vector<double>{-1, 4095});
    CHECK(file.text("/", "text") == "flüssig");
    CHECK_FALSE(file.attribute("/", "odd"));
    CHECK(file.attribute("/", "range")->type == ipa::NumberType::i32);
    CHECK(file.read_strings("names") == std::vector<std::string>{"ab", "ü"});
    CHECK(file.read<double>("group/scalar") == std::vector<double>{7.5});
    CHECK(file.read<float>("none").empty());
    const ipa::ForeignDataset images = file.dataset("images");
    CHECK(images.shape() == ipa::hdf5::Shape{40, 30, 20});
    CHECK(images.type() == ipa::NumberType::u16);
    CHECK_FALSE(images.is_text());
    std::vector<float> rows(2 * 600);
    images.read_rows(38, 2, ipa::NumberType::f32, rows.data());
    CHECK(rows.front() == 38 * 600);
    CHECK(rows.back() == 23999);
    CHECK(images.read<uint16_t>().at(599) == 599);
    CHECK(file.dataset("names").is_text());
    CHECK_FALSE(file.dataset("odd").type());
  }
  CHECK(gone(process));
}

TEST_CASE("a child's errors are those of the file", "[io]") {
  TemporaryFolder folder;
  const ForeignFile file = ForeignFile::open(make_file(folder));
  CHECK(error_kind([&] { file.dataset("nowhere"); }, "a.h5: nowhere") == 3);
  CHECK(error_kind([&] { file.read<float>("odd"); }, "plain numbers") == 3);
  CHECK(error_kind([&] { file.read<uint8_t>("images"); }, "it holds u16, expected u8") == 3);
  CHECK(error_kind([&] { file.read_strings("images"); }, "text") == 3);
  CHECK(error_kind([&] { file.text("/", "range"); }, "text, ") == 3);
  CHECK(error_kind([&] { file.numbers("/", "text"); }, "a.h5: /@text") == 3);
  CHECK(file.read<double>("group/scalar") == std::vector<double>{7.5});  // and it goes on answering
  CHECK(error_kind([&] { ForeignFile::open(folder / "missing.h5"); }, "missing.h5") == 4);
  CHECK(error_kind([&] { ForeignFile::open(folder.path); }, "folder") == 4);
  CHECK(error_kind([&] { ForeignFile::open("/dev/null"); }, "no file") == 4);
  CHECK(error_kind([&] { ForeignFile::open("/etc/passwd"); }, "not an HDF5 file") == 3);
  CHECK(error_kind([&] { ForeignFile::open(folder / "a.h5", 1000).read<uint16_t>("images"); }, "the limit") == 3);
}

TEST_CASE("what a reader answers is not believed", "[io]") {
  struct Liar : ipa::ForeignReader {
    explicit Liar(std::string said) : answer(std::move(said)) {}
    std::string ask(const std::string& request, std::span<char>) override {
      return ipa::Packet(request).number() == uint64_t(ipa::Question::open) ? "" : answer;
    }
    std::string answer;
  };
  const auto refused = [](const ipa::Packet& answer, auto read) {
    const ForeignFile file("lies.h5", 1 << 20, std::make_unique<Liar>(answer.bytes()));
    return error_kind([&] { read(file); }, "lies.h5");
  };
  using ipa::Packet;
  const auto shape = [](const ForeignFile& f) { f.dataset("a"); };
  CHECK(refused(Packet(), shape) == 3);
  CHECK(refused(Packet().put(uint64_t{33}), shape) == 3);                              // too many dimensions
  CHECK(refused(Packet().put(1).put(4).put(11).put(0).put(0), shape) == 3);            // no such type
  CHECK(refused(Packet().put(1).put(~uint64_t{0}).put(1).put(0).put(0), shape) == 3);  // absurd
  CHECK(refused(Packet().put(1).put(4).put(1).put(0).put(0).put(0), shape) == 3);      // something behind
  CHECK(refused(Packet().put(1).put(4).put(1).put(0).put(0), shape) == 0);
  const auto names = [](const ForeignFile& f) { f.members(); };
  CHECK(refused(Packet().put(~uint64_t{0}), names) == 3);
  CHECK(refused(Packet().put(1).put(uint64_t{1} << 40), names) == 3);
  CHECK(refused(Packet().put(2), [](const ForeignFile& f) { f.exists("a"); }) == 3);
  const auto numbers = [](const ForeignFile& f) { f.numbers("/", "a"); };
  CHECK(refused(Packet().put(1).put(9).put("1234567"), numbers) == 3);  // not whole doubles
  CHECK(refused(Packet().put(1).put(9).put("12345678"), numbers) == 0);
}

TEST_CASE("a child that crashes, hangs or disappears is an input error that names the file", "[io]") {
  TemporaryFolder folder;
  const auto path = make_file(folder);
  const auto after = [&](int signal, const std::string& says) {
    const ForeignFile file = ForeignFile::open(path, 1 << 30, {.silence = std::chrono::seconds(2)});
    const ForeignFile other = ForeignFile::open(path);
    const int process = file.process();
    ::kill(process, signal);
    CHECK(error_kind([&] { file.read<uint16_t>("images"); }, says) == 3);
    CHECK(error_kind([&] { file.members(); }, path.string() + "; ") == 3);
    CHECK(gone(process));
    CHECK(other.read<uint16_t>("images").size() == 24000);
  };
#if defined(__SANITIZE_ADDRESS__)  // which makes an exit of it
  after(SIGSEGV, "ended early, " + path.string());
#else
  after(SIGSEGV, "crashes the HDF5 library (Segmentation fault), " + path.string());
#endif
  after(SIGABRT, "crashes");
  after(SIGXCPU, "more than 6 s of processor time");
  after(SIGKILL, "killed");
  after(SIGSTOP, "took more than 2 s");
  const ForeignFile file = ForeignFile::open(path);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGUSR1}) ::kill(file.process(), signal);  // as a terminal does
  CHECK(file.read<uint16_t>("images").size() == 24000);
}

TEST_CASE("a child has the memory that it is allowed", "[io]") {
#if defined(__SANITIZE_ADDRESS__)
  SUCCEED("AddressSanitizer needs all addresses itself");
#else
  TemporaryFolder folder;
  std::vector<float> slice(4096 * 4096, 1);  // 64 MiB, and one chunk
  {
    ipa::hdf5::File out = ipa::hdf5::File::create(folder / "wide.h5");
    out.write<float>("images", slice, {1, 4096, 4096}, {.deflate = 0});
    out.close();
  }
  const auto read = [&](uint64_t memory) {
    const ForeignFile file = ForeignFile::open(folder / "wide.h5", 1 << 30, {.memory = memory});
    slice.back() = 0;
    file.dataset("images").read_rows(0, 1, ipa::NumberType::f32, slice.data());
  };
  CHECK(error_kind([&] { read(100 << 20); }, "chunk is larger than the memory limit") == 3);
  CHECK(error_kind([&] { read(140 << 20); }, "memory") == 3);
  read(1 << 30);
  CHECK(slice.back() == 1);
#endif
}

TEST_CASE("copies keep values, types, text and attributes", "[io]") {
  TemporaryFolder folder;
  REQUIRE(python(folder.path, R"(
import h5py, numpy as np
f = h5py.File('in.h5', 'w')
f['slices'] = np.arange(24, dtype='>i2').reshape(4, 3, 2)
f['slices'].attrs['unit'] = 'T1'
f['names'] = ['x', 'yz']
f['odd'] = np.zeros(2, [('a', 'f4')])
f.attrs['version'] = np.int64(1 << 60)
f.attrs['who'] = np.bytes_(b'me')
)"));
  const ForeignFile in = ForeignFile::open(folder / "in.h5");
  ipa::hdf5::File out = ipa::hdf5::File::create(folder / "out.h5");
  CHECK(copy_dataset(in, "slices", out));
  CHECK(copy_dataset(in, "names", out));
  CHECK_FALSE(copy_dataset(in, "odd", out));
  copy_attributes(in, "/", out, "/");
  out.close();
  CHECK(python(folder.path, R"(
import h5py, numpy as np
f = h5py.File('out.h5')
assert (f['slices'][:] == np.arange(24).reshape(4, 3, 2)).all() and f['slices'].dtype == 'i2' and f['slices'].chunks == (1, 3, 2)
assert f['slices'].attrs['unit'] in ('T1', b'T1')
assert list(f['names'].asstr()) == ['x', 'yz'] and 'odd' not in f
assert f.attrs['version'] == 1 << 60 and f.attrs['version'].dtype == 'i8' and f.attrs['who'] in ('me', b'me')
)"));
}
