#include "io/stack.h"

#include <catch2/catch.hpp>
#include <random>

#include "tests/support/error_kind.h"
#include "tests/support/python.h"
#include "tests/support/temporary_folder.h"

using ipa::NumberType;
using ipa::Range;

TEST_CASE("percentiles are exact, with numpy's interpolation", "[io]") {
  std::vector<float> values(10007);
  std::mt19937 random(3);
  for (float& v : values) v = std::normal_distribution<float>(0, 1000)(random);
  values[7] = -1e30f, values[8] = 1e30f;
  std::vector<float> sorted = values;
  std::sort(sorted.begin(), sorted.end());
  for (const double p : {0.0, 12.3, 99.5, 100.0}) {
    const Range r = ipa::minimum_and_percentile(p, [&](const auto& visit) {
      visit(std::span(values).first(5000));
      visit(std::span(values).subspan(5000));
    });
    const double at = p / 100 * 10006;
    const auto k = static_cast<size_t>(at);
    CHECK(r.lo == sorted[0]);
    CHECK(r.hi == Approx(std::lerp(sorted[k], sorted[std::min<size_t>(k + 1, 10006)], at - double(k))).epsilon(1e-6));
  }
  CHECK(ipa::minimum_and_percentile(99.5, [](const auto&) {}) == Range{0, 0});
}

TEST_CASE("scaling is undone exactly for integers, clamps and rounds", "[io]") {
  for (const NumberType type : {NumberType::u8, NumberType::u16, NumberType::i16}) {
    ipa::with_number_type(type, [&](auto zero) {
      using T = decltype(zero);
      if constexpr (sizeof(T) <= 2) {
        const int least = std::numeric_limits<T>::min(), most = std::numeric_limits<T>::max();
        std::vector<T> values;
        for (int v = least; v <= most; ++v) values.push_back(static_cast<T>(v));
        std::vector<float> scaled(values.size());
        std::vector<T> back(values.size());
        const Range range{double(least), double(most)};
        ipa::scale(type, values.data(), values.size(), range, scaled.data());
        CHECK(scaled.front() == -1);
        CHECK(scaled.back() == 1);
        ipa::unscale(scaled.data(), scaled.size(), range, type, back.data());
        CHECK(back == values);
      }
    });
  }
  const float beyond[] = {-3, 3, 0.5f};
  uint8_t bytes[3];
  ipa::unscale(beyond, 3, {0, 255}, NumberType::u8, bytes);
  CHECK(bytes[0] == 0);
  CHECK(bytes[1] == 255);
  CHECK(bytes[2] == 191);  // 191.25
  const float outside[] = {-10, 20, 5};
  float x[3];
  ipa::scale(NumberType::f32, outside, 3, {0, 10}, x);
  CHECK(std::vector<float>(x, x + 3) == std::vector<float>{-1, 1, 0});
  ipa::scale(NumberType::f32, outside, 3, {5, 5}, x);
  CHECK(x[1] == -1);
}

TEST_CASE("stacks of other programs: names, shapes, types, ranges", "[io]") {
  TemporaryFolder folder;
  REQUIRE(python(folder.path, R"(
import h5py, numpy as np
rng = np.random.default_rng(1)
with h5py.File('fastmri.h5', 'w') as f:
    f['reconstruction_rss'] = rng.normal(0, 1, (4, 6, 5)).astype('>f4')
with h5py.File('four.h5', 'w') as f:
    f['image'] = (np.arange(3 * 4 * 5).reshape(3, 4, 5, 1) * 100).astype('i2')
    f.attrs['intensity_range'] = np.array([0, 6000], 'u2')
    f.attrs['modality'] = 'T1'
with h5py.File('second.h5', 'w') as f:
    f['data'] = np.arange(3 * 4 * 5, dtype='u1').reshape(3, 1, 4, 5)
    f['slice_index'] = [5, 6, 9]
    f['spacing'] = [1.0, 0.5]
with h5py.File('subjects.h5', 'w') as f:
    x = rng.gamma(2, 100, (6, 16, 16))
    x[3:] *= 7
    f['images'] = x
    f['target'] = x + 1
    f['masks'] = (x > 100)
    f['subject'] = ['a', 'b', 'a', 'b', 'c', 'c']
    s = np.array([0, 2]); f.attrs['a'] = [x[s].min(), np.percentile(x[s], 99.5)]
    s = np.array([4, 5]); f.attrs['c'] = [x[s].min(), np.percentile(x[s], 99.5)]
)"));
  {
    ipa::StackReader stack(folder / "fastmri.h5");
    CHECK(stack.info().dataset == "reconstruction_rss");
    CHECK(stack.info().type == NumberType::f32);
    CHECK(stack.info().count == 4);
    CHECK(stack.range(0) == stack.range(3));
    std::vector<float> x(4 * 30);
    stack.read_scaled(0, 4, x.data());
    CHECK(*std::min_element(x.begin(), x.end()) == -1);
    CHECK(*std::max_element(x.begin(), x.end()) == 1);
  }
  {
    ipa::StackReader stack(folder / "four.h5");
    CHECK(stack.info().shape == ipa::hdf5::Shape{3, 4, 5, 1});
    CHECK(stack.info().modality == "T1");
    CHECK(stack.range(2) == Range{0, 6000});
    std::vector<float> x(20);
    stack.read_scaled(1, 1, x.data());
    CHECK(x[10] == 0);  // 3000
  }
  {
    ipa::StackReader stack(folder / "second.h5");
    CHECK(stack.info().height == 4);
    CHECK(stack.info().slice_index == std::vector<int32_t>{5, 6, 9});
    CHECK(stack.info().spacing == std::vector<float>{1, 0.5f});
    CHECK(stack.range(0) == Range{0, 255});
  }
  {
    ipa::StackReader stack(folder / "subjects.h5");
    for (const auto& [slice, name] : {std::pair{2, "a"}, {5, "c"}}) {
      const auto expected = stack.file().numbers("/", name);
      CHECK(stack.range(uint64_t(slice)).lo == Approx(expected[0]));
      CHECK(stack.range(uint64_t(slice)).hi == Approx(expected[1]).epsilon(1e-6));
    }
    auto target = stack.companion("target");
    REQUIRE(target);
    CHECK(target->range(5) == stack.range(5));
    auto masks = stack.companion("masks");
    REQUIRE(masks);
    CHECK(masks->info().type == NumberType::u8);
    CHECK_FALSE(stack.companion("change"));
  }
}

TEST_CASE("stacks that are no stacks are refused with a reason", "[io]") {
  TemporaryFolder folder;
  REQUIRE(python(folder.path, R"(
import h5py, numpy as np
def make(name, **arrays):
    with h5py.File(name, 'w') as f:
        for k, v in arrays.items(): f[k] = v
x = np.zeros((3, 4, 5), 'f4')
make('none.h5', other=x)
make('flat.h5', images=x[0])
make('two.h5', images=np.zeros((3, 2, 4, 5), 'f4'))
make('type.h5', images=x.astype('i4'))
make('empty.h5', images=x[:0])
make('subject.h5', images=x, subject=['a', 'b'])
y = x.copy(); y[2, 1, 1] = np.nan
make('nan.h5', images=y)
make('masks.h5', images=x, masks=np.zeros((2, 4, 5), 'u1'))
make('range.h5', images=x)
with h5py.File('range.h5', 'a') as f: f.attrs['intensity_range'] = [5, 5]
)"));
  const auto open = [&](const char* name) { return [=, &folder] { ipa::StackReader(folder / name); }; };
  CHECK(error_kind(open("none.h5"), "--dataset") == 3);
  CHECK(error_kind(open("flat.h5"), "2 dimensions") == 3);
  CHECK(error_kind(open("two.h5"), "4 dimensions") == 3);
  CHECK(error_kind(open("type.h5"), "u8, u16, i16, f32 or f64") == 3);
  CHECK(error_kind(open("empty.h5"), "empty") == 3);
  CHECK(error_kind(open("subject.h5"), "2 entries for 3 slices") == 3);
  CHECK(error_kind(open("range.h5"), "intensity_range") == 3);
  CHECK(error_kind(open("missing.h5"), "missing.h5") == 4);
  CHECK(error_kind([&] { ipa::StackReader(folder / "none.h5", "nowhere"); }, "nowhere") == 3);
  CHECK(error_kind([&] { ipa::StackReader(folder / "masks.h5").companion("masks"); }, "shape") == 3);
  ipa::StackReader nan(folder / "nan.h5");
  std::vector<float> x(60);
  CHECK_NOTHROW(nan.read(0, 2, x.data()));
  CHECK(error_kind([&] { nan.read(1, 2, x.data()); }, "slice 2 holds") == 3);
}

TEST_CASE("a written stack is whole or absent, and keeps what its source told", "[io]") {
  TemporaryFolder folder;
  REQUIRE(python(folder.path, R"(
import h5py, numpy as np
with h5py.File('in.h5', 'w') as f:
    f['data'] = np.arange(3 * 4 * 5, dtype='u2').reshape(3, 4, 5)
    f['subject'] = np.array([b'a', b'b', b'b'])
    f['tumour'] = np.ones((3, 4, 5), 'u1')
    f['meta/age'] = [30, 40]
    f['meta'].attrs['site'] = 'X'
    f['meta/up'] = f['/meta/age']
    f['odd'] = np.zeros(2, [('a', 'f4')])
    f.attrs['modality'] = 'FLAIR'
    f.attrs['note'] = 'kept'
)"));
  const ipa::StackReader in(folder / "in.h5");
  std::vector<uint16_t> slices(60);
  in.read(0, 3, slices.data());
  std::vector<uint8_t> change(60, 1);
  const auto write = [&](bool commit) {
    ipa::StackWriter out(folder / "out.h5", false);
    out.declare("images", in.info().type, in.info().shape);
    out.declare("change", NumberType::u8, {0, 4, 5});
    out.append("images", 2, slices.data());
    out.append("images", 1, slices.data() + 40);
    out.append("change", 3, change.data());
    ipa::StackInfo info = in.info();
    info.source = "a test";
    out.describe(info);
    CHECK(out.copy_extras(in) == std::vector<std::string>{"odd"});
    if (commit) out.commit();
  };
  write(false);
  CHECK_FALSE(std::filesystem::exists(folder / "out.h5"));
  write(true);
  CHECK(error_kind([&] { write(true); }, "--force") == 2);
  CHECK(python(folder.path, R"(
import h5py, numpy as np
f = h5py.File('out.h5')
assert sorted(f) == ['change', 'images', 'meta', 'subject', 'tumour'], list(f)
assert (f['images'][:] == np.arange(60).reshape(3, 4, 5)).all() and f['images'].dtype == 'u2'
for d in f['images'], f['change']: assert d.chunks == (1, 4, 5) and d.fletcher32 and d.shuffle and d.compression == 'gzip'
assert f['subject'].dtype.kind == 'S' and list(f['subject'][:]) == [b'a', b'b', b'b']
assert list(f['meta/age'][:]) == [30, 40] and f['meta'].attrs['site'] in ('X', b'X')
a = {k: v.decode() if isinstance(v, bytes) else v for k, v in f.attrs.items()}
assert a == dict(modality='FLAIR', note='kept', source='a test'), a
)"));
}

TEST_CASE("the development stacks read as their page says", "[io]") {
  const std::filesystem::path path = std::filesystem::path(IPA_SHARED_DATA) / "flair_test.h5";
  if (!std::filesystem::exists(path)) {
    WARN("skipped: no development data at " << path);
    return;
  }
  ipa::StackReader stack(path);
  CHECK(stack.info().count == 439);
  CHECK(stack.info().width == 256);
  CHECK(stack.info().subject.size() == 439);
  CHECK(stack.info().slice_index.size() == 439);
  CHECK(stack.range(0) == Range{0, 255});
  auto tumour = stack.companion("tumour");
  REQUIRE(tumour);
  std::vector<uint8_t> mask(65536);
  tumour->read(438, 1, mask.data());
  CHECK(*std::max_element(mask.begin(), mask.end()) <= 1);
}
