// The networks' published sizes.
#include <catch2/catch.hpp>
#include <set>

#include "nets/discriminators.h"
#include "nets/multires_unet.h"
#include "nets/vgg19.h"

using namespace ipa;

namespace {

struct Described {
  Parameters parameters;
  Graph graph;
  Layers layers;
  explicit Described(const std::string& network)
      : parameters(network), layers(graph, parameters, Mode::training, {}, Init::zero) {}
  Value input(std::int64_t channels) { return graph.input("x", {{1, 256, 256, channels}}); }
};

}  // namespace

TEST_CASE("the widths of a MultiRes block are those of the original", "[nets]") {
  const std::int64_t totals[] = {51, 105, 212, 426, 853};
  for (int i = 0; i < 5; ++i) CHECK(multires_widths(32 << i).total() == totals[i]);
  CHECK(multires_widths(32).a == 8);
  CHECK(multires_widths(32).b == 17);
  CHECK(multires_widths(32).c == 26);
}

TEST_CASE("MultiRes-UNet has 7,237,982 trainable parameters", "[nets]") {
  Described d("generator");
  CHECK(multires_unet(d.layers, d.input(1), 32, Head::image).shape() == Shape{1, 256, 256, 1});
  CHECK(d.parameters.trainable_count() == 7'237'982);
}

TEST_CASE("with three input channels and the original head it has the 7,262,750 that Keras reports", "[nets]") {
  Described d("generator");
  multires_unet(d.layers, d.input(3), 32, Head::segmentation);
  CHECK(d.parameters.count() == 7'262'750);
}

TEST_CASE("the cascade has 14,475,964 trainable parameters, with the contract's names", "[nets]") {
  Described d("generator");
  generator(d.layers, d.input(1), {});
  CHECK(d.parameters.trainable_count() == 14'475'964);
  std::set<std::string> names;
  for (const auto& e : d.parameters.entries()) names.insert(e.name);
  for (const char* name :
       {"generator.0.enc1.shortcut.conv.weight", "generator.1.enc5.conv_c.bn.running_var",
        "generator.0.dec6.bn_concat.weight", "generator.1.dec9.bn_out.bias", "generator.0.path1.unit4.shortcut.bn.bias",
        "generator.0.path4.unit1.conv.conv.weight", "generator.1.path2.unit3.bn.running_mean", "generator.0.up6.weight",
        "generator.0.up9.bias", "generator.1.head.bias"}) {
    INFO(name);
    CHECK(names.contains(name));
  }
  CHECK_FALSE(names.contains("generator.0.enc1.conv_a.bn.weight"));
  CHECK_FALSE(names.contains("generator.0.path1.unit5.bn.weight"));
}

TEST_CASE("D_p has 2,764,609 parameters and 30x30 scores, D_g 11,155,265 and 6x6", "[nets]") {
  Described patch("disc_patch"), global("disc_global");
  const Discrimination p = discriminate(patch.layers, patch.input(2), DiscriminatorKind::patch, 64);
  CHECK(p.score.shape() == Shape{1, 30, 30, 1});
  CHECK(p.features.back().shape() == Shape{1, 31, 31, 512});
  CHECK(patch.parameters.trainable_count() == 2'764'609);
  CHECK(discriminate(global.layers, global.input(2), DiscriminatorKind::global, 64).score.shape() == Shape{1, 6, 6, 1});
  CHECK(global.parameters.trainable_count() == 11'155'265);
}

TEST_CASE("VGG-19 has 20,024,384 parameters in its 16 convolutions, 1,145,408 in the first six", "[nets]") {
  Described all("vgg19"), six("vgg19");
  CHECK(vgg19_features(all.layers, all.input(1), 16).back().shape() == Shape{1, 16, 16, 512});
  CHECK(all.parameters.count() == 20'024'384);
  vgg19_features(six.layers, six.input(1), 6);
  CHECK(six.parameters.count() == 1'145'408);
  CHECK(vgg19_name(0) == "conv1_1");
  CHECK(vgg19_name(15) == "conv5_4");
}
