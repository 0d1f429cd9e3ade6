#include "apps/settings.h"

#include <unistd.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <functional>

#include "apps/settings_keys.h"
#include "apps/suggest.h"
#include "engine/error.h"

using namespace ipa;
using Catch::Contains;

namespace {

Settings with(const std::string& assignment) { return load_settings("paper", {}, {assignment}); }

std::string error_of(const std::function<void()>& action) {
  try {
    action();
  } catch (const Error& error) {
    CHECK(error.kind() == ErrorKind::usage);
    return error.what();
  }
  return "nothing was thrown";
}

std::string error_of_toml(const std::string& text) {
  return error_of([&] { parse_settings(text, "f.toml"); });
}

std::string error_of_set(const std::string& assignment) {
  return error_of([&] { with(assignment); });
}

}  // namespace

TEST_CASE("the paper preset is the defaults and names every key", "[settings]") {
  CHECK(differing_keys(load_settings("", {}, {}), Settings{}).empty());
  // Each key is read from the preset: starting from other values gives the same.
  Settings other;
  for (const Key& key : settings_keys(other))
    std::visit(
        [](auto* value) {
          using T = std::remove_pointer_t<decltype(value)>;
          if constexpr (std::is_same_v<T, bool>)
            *value = !*value;
          else if constexpr (std::is_same_v<T, std::string>)
            *value += "x";
          else
            *value += 7;
        },
        key.value);
  CHECK(differing_keys(other, Settings{}).size() == settings_keys(other).size());
  for (const Preset& preset : presets())
    if (preset.name == "paper") CHECK(differing_keys(parse_settings(preset.toml, "paper", other), Settings{}).empty());
}

TEST_CASE("defaults are those of the contract", "[settings]") {
  CHECK(to_toml(Settings{}) == R"([net]
width = 32
disc_width = 64
residual = false
bn_momentum = 0.99

[data]
size = 256
hole = 0.0
flip = false
masks = "arbitrary"

[train]
batch = 8
epochs = 100
steps = 0
seed = 0
lr = 0.0002
beta1 = 0.5
beta2 = 0.999
generator_steps = 1
decay = 0.0

[loss]
adversarial = 1.0
style = 0.01
perceptual = 20.0
style_layers = 6
hole = 0.0
style_warmup = 0

[checkpoint]
every = 1000
keep = 3

[validate]
every = 1000
slices = 64
)");
}

TEST_CASE("every preset can be loaded", "[settings]") {
  std::vector<std::string> names;
  for (const Preset& preset : presets()) {
    names.emplace_back(preset.name);
    CHECK_NOTHROW(load_settings(preset.name, {}, {}));
  }
  CHECK(names == std::vector<std::string>{"demo", "hour", "paper", "practical"});
  CHECK(load_settings("demo", {}, {}).net.residual);
  CHECK_THAT(error_of([] { load_settings("papper", {}, {}); }), Contains("did you mean paper"));
}

TEST_CASE("settings survive the round trip through TOML bit for bit", "[settings]") {
  Settings settings = load_settings("practical", {}, {});
  settings.optimizer.lr = 0.1 + 0.2;
  settings.loss.style = 1e-300;
  settings.loss.perceptual = 1e22;
  settings.data.masks = "/a \"quoted\" \\ path\t\n\x01 \xc3\xa4'.h5";
  settings.train.seed = std::int64_t{1} << 53;
  const Settings again = parse_settings(to_toml(settings), "again");
  CHECK(differing_keys(settings, again).empty());
  CHECK(again.optimizer.lr == settings.optimizer.lr);
  CHECK(again.data.masks == settings.data.masks);
  CHECK(to_toml(again) == to_toml(settings));
}

TEST_CASE("preset, then file, then assignments", "[settings]") {
  const auto path = std::filesystem::temp_directory_path() / ("ipa_settings_" + std::to_string(::getpid()) + ".toml");
  std::ofstream(path) << "net.width = 12\n[train]\nlr = 1 # integers serve as numbers\nbatch = 2\n";
  const Settings settings = load_settings("demo", path, {"train.batch=3", " net.disc_width = 16 "});
  std::filesystem::remove(path);
  CHECK(settings.net.residual);
  CHECK(settings.net.width == 12);
  CHECK(settings.optimizer.lr == 1.0);
  CHECK(settings.train.batch == 3);
  CHECK(settings.net.disc_width == 16);
  CHECK(differing_keys(settings, load_settings("demo", {}, {})) ==
        std::vector<std::string>{"net.width", "net.disc_width", "train.batch", "train.lr"});
}

TEST_CASE("a settings file that is not there is an I/O error", "[settings]") {
  try {
    load_settings("paper", "/nowhere/f.toml", {});
    FAIL("did not throw");
  } catch (const Error& error) {
    CHECK(error.kind() == ErrorKind::io);
    CHECK_THAT(error.what(), Contains("/nowhere/f.toml"));
  }
}

TEST_CASE("assignments take TOML, and strings without quotes", "[settings]") {
  CHECK(with("data.masks=square").data.masks == "square");
  CHECK(with("data.masks=\"square\"").data.masks == "square");
  CHECK(with("data.masks = 'a b.h5'").data.masks == "a b.h5");
  CHECK(with("data.masks=/tmp/a=b.h5").data.masks == "/tmp/a=b.h5");
  CHECK(with("data.masks=12").data.masks == "12");
  CHECK(with("data.flip=true").data.flip);
  CHECK(with("loss.style=0").loss.style == 0);
  CHECK(with("train.steps=1_000").train.steps == 1000);
  CHECK_THAT(error_of_set("data.masks=\xff.h5"), Contains("not TOML"));
  CHECK_THAT(error_of_set("data.flip=yes"), Contains("data.flip has the wrong type") && Contains("true or false"));
  CHECK_THAT(error_of_set("net.width=8.0"), Contains("an integer"));
  CHECK_THAT(error_of_set("net.width="), Contains("net.width has the wrong type"));
  CHECK_THAT(error_of_set("net.width=8\nnet.disc_width=9"), Contains("wrong type"));
  CHECK_THAT(error_of_set("net.width=[8]"), Contains("an integer"));
  CHECK_THAT(error_of_set("net.width"), Contains("no = in a setting"));
  CHECK_THAT(error_of_set("net.widht=8"),
             Contains("unknown setting net.widht, --set net.widht=8; did you mean net.width"));
}

TEST_CASE("errors in a file name the key, the line and what is meant", "[settings]") {
  CHECK_THAT(error_of_toml("[net]\n\nwidht = 8\n"),
             Contains("unknown setting net.widht, f.toml line 3; did you mean net.width"));
  CHECK_THAT(error_of_toml("[nets]\nwidth = 8\n"),
             Contains("unknown setting nets.width, f.toml line 2; did you mean net.width"));
  CHECK_THAT(error_of_toml("[entirely_else]\n"),
             Contains("unknown setting entirely_else, f.toml line 1; `ipamedgan info"));
  CHECK_THAT(error_of_toml("net = 3\n"), Contains("unknown setting net, f.toml line 1"));
  CHECK_THAT(error_of_toml("[net.width]\nx = 1\n"), Contains("net.width has the wrong type"));
  CHECK_THAT(error_of_toml("[[net]]\nwidth = 8\n"), Contains("unknown setting net"));
  CHECK_THAT(error_of_toml("[train]\nlr = \"fast\"\n"),
             Contains("train.lr has the wrong type, f.toml line 2; it takes a number"));
  CHECK_THAT(error_of_toml("[train\n"), Contains("not TOML") && Contains("f.toml line 1"));
  CHECK_THAT(error_of_toml("[train]\nlr = 1\nlr = 2\n"), Contains("not TOML") && Contains("line 3"));
}

TEST_CASE("values out of range are refused with what is allowed", "[settings]") {
  CHECK_THAT(error_of_set("data.size=100"),
             Contains("data.size = 100 is out of range") && Contains("at least 96 and at most 4096, a multiple of 16"));
  CHECK(with("data.size=96").data.size == 96);
  for (const char* wrong : {"data.size=80",
                            "data.size=1000000",
                            "data.hole=1.1",
                            "data.hole=-0.1",
                            "net.width=3",
                            "net.width=-8",
                            "net.disc_width=0",
                            "net.bn_momentum=1",
                            "train.batch=0",
                            "train.epochs=0",
                            "train.steps=-1",
                            "train.seed=-1",
                            "train.lr=0",
                            "train.lr=nan",
                            "train.lr=inf",
                            "train.beta1=1",
                            "train.generator_steps=0",
                            "train.decay=-1",
                            "loss.style=-1",
                            "loss.style_layers=0",
                            "loss.style_layers=17",
                            "loss.style_warmup=-1",
                            "checkpoint.every=0",
                            "checkpoint.keep=0",
                            "validate.every=0",
                            "train.steps=9223372036854775807"})
    CHECK_THAT(error_of_set(wrong), Contains("is out of range"));
  CHECK_THAT(error_of_set("data.masks="), Contains("data.masks is empty"));
}

TEST_CASE("distances between words, and suggestions", "[settings]") {
  CHECK(edit_distance("", "abc") == 3);
  CHECK(edit_distance("abc", "abc") == 0);
  CHECK(edit_distance("abc", "acb") == 1);
  CHECK(edit_distance("kitten", "sitting") == 3);
  CHECK(suggest("evalute", {"evaluate", "score"}) == "did you mean evaluate");
  CHECK(suggest("xyz", {"evaluate", "score"}, "none") == "none");
}
