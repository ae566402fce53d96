// stock_run: a text model in the stock ExecuTorch runtime, without PyTorch.
//
//   stock_run MODEL.pte --tokens IDS [--force IDS] [-n N] [--prefill_chunk N] [--sums32] [--logits FILE] [--data_paths A,B]
//             [--method_name M]
//
// Loads with the strict verifier (InternalConsistency), evaluates the prompt (whole, or in chunks), then N tokens, greedy or
// forced; --logits keeps the N rows of fp32 logits as raw bytes; prints {"tokens":[...]}.
//
// It links the shared libraries of the stock Python package, which register all kernels but llama::*; those two are here,
// written from their documented meaning: update_cache copies rows to start_pos.., custom_sdpa attends causally over the cache.
// It sums in double, or (--sums32) in float as the stock kernel does: the difference between the two shows how far the last bit of
// one kernel moves a model whose activations are rounded to int8.
#include <executorch/extension/module/module.h>
#include <executorch/runtime/core/exec_aten/util/tensor_util.h>
#include <executorch/runtime/kernel/kernel_runtime_context.h>
#include <executorch/runtime/kernel/operator_registry.h>
#include <executorch/runtime/platform/runtime.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <sstream>
#include <string>
#include <vector>

namespace et = executorch::runtime;
using executorch::aten::ScalarType;
using executorch::aten::SizesType;
using executorch::aten::Tensor;
using et::Error;
using et::EValue;
using et::KernelRuntimeContext;
using Stack = et::Span<EValue*>;

[[noreturn]] static void die(const char* what, Error e) {
  std::fprintf(stderr, "stock_run: %s: error 0x%x\n", what, static_cast<unsigned>(e));
  std::exit(1);
}

// value [1,S,G,D], cache [1,C,G,D], start_pos, out (unused)
static void update_cache(KernelRuntimeContext& context, Stack args) {
  const Tensor value = args[0]->toTensor();
  Tensor cache = args[1]->toTensor();
  const int64_t start = args[2]->toInt();
  if (start < 0 || start + value.size(1) > cache.size(1)) return context.fail(Error::InvalidArgument);
  const size_t row = value.nbytes() / static_cast<size_t>(value.size(1));
  std::memcpy(static_cast<char*>(cache.mutable_data_ptr()) + static_cast<size_t>(start) * row, value.const_data_ptr(), value.nbytes());
}

// q [1,S,H,D], k and v caches [1,C,G,D], start_pos, mask, dropout, is_causal, scale, out [1,S,H,D]; fp32, causal
template <typename Sum>
static void custom_sdpa(KernelRuntimeContext& context, Stack args) {
  const Tensor q = args[0]->toTensor(), k = args[1]->toTensor(), v = args[2]->toTensor();
  Tensor out = args[8]->toTensor();
  const int64_t start = args[3]->toInt(), S = q.size(1), H = q.size(2), D = q.size(3), G = k.size(2);
  const SizesType sizes[] = {1, static_cast<SizesType>(S), static_cast<SizesType>(H), static_cast<SizesType>(D)};
  if (!args[4]->isNone() || !args[6]->toBool() || q.scalar_type() != ScalarType::Float) return context.fail(Error::NotSupported);
  if (et::resize_tensor(out, {sizes, 4}) != Error::Ok) return context.fail(Error::InvalidArgument);
  const Sum scale = static_cast<Sum>(args[7]->isNone() ? 1.0 / std::sqrt(static_cast<double>(D)) : args[7]->toDouble());
  const float *Q = q.const_data_ptr<float>(), *K = k.const_data_ptr<float>(), *V = v.const_data_ptr<float>();
  float* O = out.mutable_data_ptr<float>();
  std::vector<Sum> weight;
  for (int64_t s = 0; s < S; s++)
    for (int64_t h = 0; h < H; h++) {
      const int64_t n = start + s + 1, g = h / (H / G);
      const float* query = Q + (s * H + h) * D;
      weight.assign(static_cast<size_t>(n), 0);
      Sum top = -INFINITY, total = 0;
      for (int64_t t = 0; t < n; t++) {
        Sum dot = 0;
        for (int64_t d = 0; d < D; d++) dot += static_cast<Sum>(query[d]) * K[(t * G + g) * D + d];
        top = std::max(top, weight[t] = dot * scale);
      }
      for (Sum& w : weight) total += w = std::exp(w - top);
      for (int64_t d = 0; d < D; d++) {
        Sum sum = 0;
        for (int64_t t = 0; t < n; t++) sum += weight[t] * V[(t * G + g) * D + d];
        O[(s * H + h) * D + d] = static_cast<float>(sum / total);
      }
    }
}

static std::vector<int64_t> numbers(const std::string& text) {
  std::vector<int64_t> out;
  std::stringstream stream(text);
  for (std::string item; std::getline(stream, item, ',');) out.push_back(std::atoll(item.c_str()));
  return out;
}

static std::vector<std::string> words(const std::string& text) {
  std::vector<std::string> out;
  std::stringstream stream(text);
  for (std::string item; std::getline(stream, item, ',');) out.push_back(item);
  return out;
}

// One forward: tokens at a position; the logits of the last row.
static std::vector<float> forward(executorch::extension::Module& module, const std::string& method, std::vector<int64_t> tokens, int64_t position) {
  SizesType token_sizes[] = {1, static_cast<SizesType>(tokens.size())}, position_sizes[] = {1};
  executorch::aten::DimOrderType order2[] = {0, 1}, order1[] = {0};
  executorch::aten::StridesType strides2[] = {static_cast<SizesType>(tokens.size()), 1}, strides1[] = {1};
  executorch::aten::TensorImpl token_impl(ScalarType::Long, 2, token_sizes, tokens.data(), order2, strides2);
  executorch::aten::TensorImpl position_impl(ScalarType::Long, 1, position_sizes, &position, order1, strides1);
  auto result = module.execute(method, {EValue(Tensor(&token_impl)), EValue(Tensor(&position_impl))});
  if (!result.ok()) die("execute", result.error());
  const Tensor out = result->at(0).toTensor();
  const int64_t width = out.size(out.dim() - 1);
  const float* last = out.const_data_ptr<float>() + out.numel() - width;
  return std::vector<float>(last, last + width);
}

int main(int argc, char** argv) {
  std::string model, tokens, force, logits, data, method = "forward";
  size_t n = 0, chunk = 0;
  bool sums32 = false;
  for (int i = 1; i < argc; i++) {
    const std::string word = argv[i];
    auto next = [&] { return i + 1 < argc ? argv[++i] : ""; };
    if (word == "--tokens") tokens = next();
    else if (word == "--force") force = next();
    else if (word == "--logits") logits = next();
    else if (word == "--data_paths") data = next();
    else if (word == "--method_name") method = next();
    else if (word == "--prefill_chunk") chunk = static_cast<size_t>(std::atoll(next()));
    else if (word == "--sums32") sums32 = true;
    else if (word == "-n") n = static_cast<size_t>(std::atoll(next()));
    else model = word;
  }
  if (model.empty() || tokens.empty()) {
    std::fprintf(stderr, "usage: stock_run MODEL.pte --tokens IDS [--force IDS] [-n N] [--prefill_chunk N] [--logits FILE]\n");
    return 2;
  }
  et::runtime_init();
  static et::Kernel kernels[] = {et::Kernel("llama::update_cache.out", update_cache), et::Kernel("llama::custom_sdpa.out", sums32 ? custom_sdpa<float> : custom_sdpa<double>)};
  Error e = et::register_kernels({kernels, 2});
  if (e != Error::Ok) die("register_kernels", e);
  executorch::extension::Module module(model, words(data), executorch::extension::Module::LoadMode::Mmap);
  if ((e = module.load(et::Program::Verification::InternalConsistency)) != Error::Ok) die("load with strict verification", e);
  if ((e = module.load_method(method)) != Error::Ok) die("load_method", e);

  const std::vector<int64_t> prompt = numbers(tokens), forced = numbers(force);
  if (!n) n = forced.empty() ? 16 : forced.size();
  if (!chunk) chunk = prompt.size();
  std::vector<float> row;
  for (size_t at = 0; at < prompt.size(); at += chunk) {
    const size_t end = std::min(prompt.size(), at + chunk);
    row = forward(module, method, std::vector<int64_t>(prompt.begin() + at, prompt.begin() + end), static_cast<int64_t>(at));
  }
  FILE* file = logits.empty() ? nullptr : std::fopen(logits.c_str(), "wb");
  std::printf("{\"tokens\":[");
  for (size_t i = 0; i < n; i++) {
    if (file) std::fwrite(row.data(), sizeof(float), row.size(), file);
    const int64_t best = std::max_element(row.begin(), row.end()) - row.begin();
    const int64_t token = i < forced.size() ? forced[i] : best;
    std::printf("%s%lld", i ? "," : "", static_cast<long long>(token));
    if (i + 1 < n) row = forward(module, method, {token}, static_cast<int64_t>(prompt.size() + i));
  }
  std::printf("]}\n");
  if (file) std::fclose(file);
  return 0;
}
