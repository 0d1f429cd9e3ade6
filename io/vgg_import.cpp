#include "io/vgg_import.h"

#include <fmt/core.h>

#include <array>
#include <string>

#include "engine/error.h"
#include "engine/machine.h"
#include "io/foreign_file.h"

namespace ipa {
namespace {

struct Convolution {
  int block, index;
  int64_t in, out;
};

constexpr std::array<Convolution, kVggConvolutions> convolutions() {
  std::array<Convolution, kVggConvolutions> all{};
  constexpr int length[] = {2, 2, 4, 4, 4}, width[] = {64, 128, 256, 512, 512};
  int64_t in = 3;
  for (int block = 0, i = 0; block < 5; ++block)
    for (int index = 1; index <= length[block]; ++index, ++i) {
      all[i] = {block + 1, index, in, width[block]};
      in = width[block];
    }
  return all;
}

std::string hint() {
  return fmt::format("get the file of Keras by {}, or train with --set loss.style=0", get_vgg19_script());
}

struct VggFile {
  ForeignFile file;
  std::string root;

  std::string find(const std::string& layer, std::string_view old_name, std::string_view new_name) const {
    const std::string group = root + layer + "/";
    for (const std::string& name :
         {fmt::format("{}{}_{}_1:0", group, layer, old_name), fmt::format("{}{}/{}:0", group, layer, new_name)})
      if (file.exists(name)) return name;
    fail(ErrorKind::input, fmt::format("no {} of layer '{}'", new_name, layer), file.path().string(), hint());
  }

  std::vector<float> read(const std::string& name, const hdf5::Shape& shape) const {
    const ForeignDataset dataset = file.dataset(name);
    if (dataset.shape() != shape || dataset.type() != NumberType::f32) {
      std::string found, wanted;
      for (uint64_t n : dataset.shape()) found += fmt::format("{}{}", found.empty() ? "" : "x", n);
      for (uint64_t n : shape) wanted += fmt::format("{}{}", wanted.empty() ? "" : "x", n);
      fail(ErrorKind::input,
           fmt::format("{} is {} {}, VGG-19 has f32 {}", name,
                       dataset.type() ? name_of(*dataset.type()) : "not of numbers,", found, wanted),
           file.path().string(), hint());
    }
    return dataset.read<float>();
  }
};

// (kh, kw, in, out) -> (out, in, kh, kw), kh = kw = 3.
std::vector<float> to_pytorch(const std::vector<float>& kernel, int64_t in, int64_t out) {
  std::vector<float> weight(kernel.size());
  for (int64_t k = 0; k < 9; ++k)
    for (int64_t i = 0; i < in; ++i)
      for (int64_t o = 0; o < out; ++o) weight[(o * in + i) * 9 + k] = kernel[(k * in + i) * out + o];
  return weight;
}

}  // namespace

std::string get_vgg19_script() {
  const std::filesystem::path installed = program_prefix() / "share/ipamedgan/scripts/get-vgg19";
  std::error_code none;
  return std::filesystem::exists(installed, none) ? installed.string() : "scripts/get-vgg19";
}

WeightMap read_vgg19(const std::filesystem::path& path, int layers) {
  require(layers >= 1 && layers <= kVggConvolutions, "read_vgg19: 1 to 16 layers");
  if (!std::filesystem::exists(path)) fail(ErrorKind::io, "no file of VGG-19 weights", path.string(), hint());
  VggFile vgg{ForeignFile::open(path), "/"};
  if (vgg.file.is_group("/model_weights")) vgg.root = "/model_weights/";
  WeightMap weights;
  for (int i = 0; i < layers; ++i) {
    const auto [block, index, in, out] = convolutions()[static_cast<size_t>(i)];
    const std::string layer = fmt::format("block{}_conv{}", block, index),
                      name = fmt::format("vgg19.conv{}_{}", block, index);
    const auto [n_in, n_out] = std::pair{static_cast<uint64_t>(in), static_cast<uint64_t>(out)};
    const std::vector<float> kernel = vgg.read(vgg.find(layer, "W", "kernel"), {3, 3, n_in, n_out});
    weights.push_back({name + ".weight", {out, in, 3, 3}, to_pytorch(kernel, in, out)});
    weights.push_back({name + ".bias", {out}, vgg.read(vgg.find(layer, "b", "bias"), {n_out})});
  }
  return weights;
}

}  // namespace ipa
