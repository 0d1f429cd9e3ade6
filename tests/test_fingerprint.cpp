#include "io/fingerprint.h"

#include <catch2/catch.hpp>
#include <vector>

#include "engine/error.h"
#include "io/seal.h"
#include "tests/support/bytes.h"
#include "tests/support/python.h"
#include "tests/support/temporary_folder.h"

TEST_CASE("fingerprints: XXH3-128's value of nothing, cuts do not matter, pieces do", "[io]") {
  CHECK(ipa::Fingerprint().hex() == "99aa06d3014798d86001c324468d497f");
  ipa::Fingerprint whole, cut, pieces, others;
  whole.bytes("abcdef", 6);
  cut.bytes("abc", 3);
  cut.bytes("def", 3);
  CHECK(whole.hex() == cut.hex());
  pieces.text("ab");
  pieces.text("c");
  others.text("a");
  others.text("bc");
  CHECK(pieces.hex() != others.hex());
  TemporaryFolder folder;
  write_bytes(folder / "f", "abcdef");
  CHECK(ipa::fingerprint_file(folder / "f") == whole.hex());
  CHECK_THROWS_WITH(ipa::fingerprint_file(folder / "absent"), Catch::Contains("check the path"));
}

TEST_CASE("fingerprints of datasets: the content counts, not how it is stored", "[io]") {
  TemporaryFolder folder;
  REQUIRE(python(folder.path, R"(
import h5py, numpy as np
def stack(name, images, subjects, **storage):
    with h5py.File(name, "w") as f:
        f.create_dataset("images", data=images, **storage)
        f["subject"] = np.array(subjects, "S8")
images = (np.arange(3 * 2000 * 1000) % 251).astype("u1").reshape(3, 2000, 1000)
stack("a.h5", images, ["p", "q", "q"])
stack("b.h5", images, ["p", "q", "q"], chunks=(2, 70, 90), compression=1)
images[2, -1, -1] += 1
stack("c.h5", images, ["p", "q", "q"])
images[2, -1, -1] -= 1
stack("d.h5", images, ["p", "p", "q"])
stack("e.h5", images.reshape(6, 1000, 1000), ["p", "q", "q"])
)"));
  const std::vector<std::string> names = {"images", "subject", "slice_index"};
  const std::string a = ipa::fingerprint_datasets(folder / "a.h5", names);
  CHECK(ipa::fingerprint_datasets(folder / "b.h5", names) == a);
  for (const char* other : {"c.h5", "d.h5", "e.h5"}) CHECK(ipa::fingerprint_datasets(folder / other, names) != a);
}

TEST_CASE("a seal can be put behind any file", "[io]") {
  TemporaryFolder folder;
  for (const std::string& content : {std::string(), std::string("x"), std::string(3 << 20, 'y')}) {
    write_bytes(folder / "f", content);
    CHECK_THROWS_AS(ipa::check_seal(folder / "f"), ipa::Error);
    ipa::seal_file(folder / "f");
    CHECK_NOTHROW(ipa::check_seal(folder / "f"));
    CHECK(read_bytes(folder / "f").size() == content.size() + 64);
  }
}
