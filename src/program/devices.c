/* What programs ask of a runtime: the backends of ExecuTorch and the libraries of kernels, by the machine they are made for. */
#include "program/program.h"

#include <string.h>

static const struct {
    const char *id, *device;
} backends[] = {
    {"XnnpackBackend", "any processor, through XNNPACK"},
    {"QnnBackend", "Qualcomm NPUs"},
    {"CoreMLBackend", "Apple devices through Core ML"},
    {"MPSBackend", "Apple GPUs"},
    {"VulkanBackend", "GPUs through Vulkan"},
    {"NeuropilotBackend", "MediaTek NPUs"},
    {"EthosUBackend", "Arm Ethos-U NPUs"},
    {"VgfBackend", "Arm GPUs through VGF"},
    {"EnnBackend", "Samsung NPUs"},
    {"OpenvinoBackend", "Intel devices through OpenVINO"},
    {"CudaBackend", "NVIDIA GPUs"},
    {"MetalBackend", "Apple GPUs"},
    {"MLXBackend", "Apple GPUs through MLX"},
    {"NXPBackend", "NXP NPUs"},
    {"CadenceBackend", "Cadence DSPs"},
};

const char *wick_backend_device(const char *id) {
    for (size_t i = 0; i < sizeof backends / sizeof *backends; i++)
        if (strcmp(id, backends[i].id) == 0) return backends[i].device;
    return NULL;
}

static bool begins(const char *s, const char *with) { return strncmp(s, with, strlen(with)) == 0; }

const char *wick_operator_device(const char *name) {
    if (begins(name, "aten::") || begins(name, "dim_order_ops::")) return "any processor, ExecuTorch's own kernels";
    if (begins(name, "llama::")) return "any processor, ExecuTorch's kernels for language models";
    if (begins(name, "quantized_decomposed::")) return "any processor, ExecuTorch's quantized kernels";
    if (begins(name, "torchao::_linear_fp_act_")) return "Apple GPUs, weights in tiles of the torchao library";
    if (begins(name, "torchao::")) return "ARM processors, weights in tiles of the torchao library";
    return NULL;
}
