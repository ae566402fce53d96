#!/usr/bin/env python3
"""Writes tests/data/ops/vectors.txt: what PyTorch's operators and ExecuTorch's custom ones give for small inputs.

Run by hand where torch and executorch are installed: make_vectors.py > tests/data/ops/vectors.txt
A case is a line "op TOLERANCE name", one line per argument in schema order, then "end":
    T type dims : values      tensor          t type dims : values      tensor that the operator writes, and what it must be
    I n   D x   B 0|1   S text   N            integer, double, boolean, string, none
    L n n n                                   list of integers
    X k, then k T or N lines                  list of tensors
The tolerance is relative to max(1, |value|): 0 for what is exact, a few ulp of the type for what is rounded.
"""
import math
import torch
import torch.ao.quantization.fx._decomposed  # noqa: F401  (quantized_decomposed operators)
import executorch.kernels.quantized  # noqa: F401
from executorch.extension.llm.custom_ops import custom_ops  # noqa: F401

A, QD, LL = torch.ops.aten, torch.ops.quantized_decomposed, torch.ops.llama
TYPES = {torch.float32: 'f32', torch.float64: 'f64', torch.float16: 'f16', torch.bfloat16: 'bf16', torch.int64: 'i64', torch.int32: 'i32',
         torch.int8: 'i8', torch.uint8: 'u8', torch.bool: 'b8'}
EPS = {torch.float32: 3e-7, torch.float64: 1e-14, torch.float16: 1.1e-3, torch.bfloat16: 8e-3}
torch.manual_seed(7)


def number(v):
    return repr(v) if isinstance(v, int) else ('%.9g' % v if math.isfinite(v) else ('nan' if v != v else 'inf' if v > 0 else '-inf'))


def tensor(t, letter):
    flat = t.reshape(-1)
    values = [int(v) for v in flat.tolist()] if not t.is_floating_point() else flat.double().tolist()
    text = ' '.join('%.17g' % v if t.dtype == torch.float64 and math.isfinite(v) else number(v) for v in values)
    return '%s %s %s : %s' % (letter, TYPES[t.dtype], ','.join(map(str, t.shape)) or '-', text)


def argument(a):
    if isinstance(a, torch.Tensor):
        return [tensor(a, 'T')]
    if a is None:
        return ['N']
    if isinstance(a, bool):
        return ['B %d' % a]
    if isinstance(a, int):
        return ['I %d' % a]
    if isinstance(a, float):
        return ['D ' + number(a)]
    if isinstance(a, str):
        return ['S ' + a]
    if isinstance(a, list) and all(isinstance(v, int) for v in a):
        return ['L ' + ' '.join(map(str, a))]
    return ['X %d' % len(a)] + [line for v in a for line in argument(v)]


def case(name, args, outs, tolerance=None, listed=False):
    outs = outs if isinstance(outs, (list, tuple)) else [outs]
    if tolerance is None:
        tolerance = max((EPS.get(o.dtype, 0) for o in outs), default=0)
    print('op %g %s' % (tolerance, name))
    for a in args:
        print('\n'.join(argument(a)))
    if listed:
        print('X %d' % len(outs))
    for o in outs:
        print(tensor(o, 't'))
    print('end')


def f(*shape, dtype=torch.float32, scale=2.0):
    return ((torch.rand(*shape) - 0.5) * 2 * scale).to(dtype)


def i(*shape, lo=-9, hi=9, dtype=torch.int64):
    return torch.randint(lo, hi, shape, dtype=dtype)


def arithmetic():
    for d in (torch.float32, torch.float16, torch.bfloat16, torch.float64):
        a, b = f(2, 3, dtype=d), f(3, dtype=d)
        case('aten::add.out', [a, b, 2], A.add(a, b, alpha=2))
        case('aten::mul.out', [a, b], A.mul(a, b))
        case('aten::div.out', [a, b], A.div(a, b))
        case('aten::rsqrt.out', [a.abs() + 0.1], A.rsqrt(a.abs() + 0.1))
        case('aten::sigmoid.out', [a], A.sigmoid(a))
        case('aten::gelu.out', [a, 'none'], A.gelu(a))
        case('aten::gelu.out', [a, 'tanh'], A.gelu(a, approximate='tanh'))
        case('aten::_softmax.out', [a, -1, False], A._softmax(a, -1, False))
    a, b = f(2, 3, 1), f(3, 4)
    case('aten::sub.out', [a, b, 3], A.sub(a, b, alpha=3))
    case('aten::add.Scalar_out', [a, 0.25, 1], A.add(a, 0.25))
    case('aten::sub.Scalar_out', [a, 2, 3], A.sub(a, 2, 3))
    case('aten::rsub.Scalar_out', [a, 2.5, 2], A.rsub(a, 2.5, 2))
    case('aten::mul.Scalar_out', [a, -0.125], A.mul(a, -0.125))
    case('aten::div.Scalar_out', [a, 3], A.div(a, 3))
    case('aten::div.out_mode', [a, b, 'floor'], A.div(a, b, rounding_mode='floor'))
    case('aten::div.out_mode', [a, b, 'trunc'], A.div(a, b, rounding_mode='trunc'))
    case('aten::maximum.out', [a, b], A.maximum(a, b))
    case('aten::minimum.out', [a, b], A.minimum(a, b))
    case('aten::pow.Tensor_Scalar_out', [a, 3], A.pow(a, 3), 1e-6)
    case('aten::pow.Tensor_Tensor_out', [a.abs(), b], A.pow(a.abs(), b), 1e-6)
    x = torch.tensor([-2.5, -1.5, -0.5, 0.0, 0.5, 1.5, 2.5, 3.25])
    for name in ('neg', 'abs', 'floor', 'ceil', 'round', 'relu', 'tanh', 'exp', 'sin', 'cos', 'erf', 'reciprocal'):
        y = x + 0.125 if name == 'reciprocal' else x
        case('aten::%s.out' % name, [y], getattr(A, name)(y))
    p = x.abs() + 0.25
    for name in ('sqrt', 'log', 'log1p'):
        case('aten::%s.out' % name, [p], getattr(A, name)(p))
    case('aten::clamp.out', [x, -1.0, None], A.clamp(x, -1.0))
    case('aten::clamp.out', [x, -1, 2], A.clamp(x, -1, 2))
    case('aten::hardtanh.out', [x, -0.75, 1.25], A.hardtanh(x, -0.75, 1.25))
    n = torch.tensor([1.0, math.nan, -math.inf, 2.0])
    case('aten::maximum.out', [n, n.flip(0)], A.maximum(n, n.flip(0)))
    case('aten::eq.Scalar_out', [n, -math.inf], A.eq(n, -math.inf))


def integers():
    a, b = i(2, 3), torch.tensor([3, -2, 5])
    case('aten::add.out', [a, b, 2], A.add(a, b, alpha=2))
    case('aten::mul.out', [a, b], A.mul(a, b))
    case('aten::div.out', [a, b], A.div(a, b))
    case('aten::floor_divide.out', [a, b], A.floor_divide(a, b))
    case('aten::div.out_mode', [a, b, 'floor'], A.div(a, b, rounding_mode='floor'))
    case('aten::div.out_mode', [a, b, 'trunc'], A.div(a, b, rounding_mode='trunc'))
    case('aten::remainder.Scalar_out', [a, -4], A.remainder(a, -4))
    case('aten::remainder.Tensor_out', [a, b], A.remainder(a, b))
    case('aten::neg.out', [a], A.neg(a))
    case('aten::mul.Scalar_out', [a, 0.5], A.mul(a, 0.5))
    big = torch.tensor([2 ** 62, -2 ** 63, 2 ** 53 + 1])
    case('aten::add.out', [big, big, 1], A.add(big, big))
    for op in ('eq', 'ne', 'lt', 'le', 'gt', 'ge'):
        case('aten::%s.Tensor_out' % op, [a, b], getattr(A, op)(a, b))
        case('aten::%s.Scalar_out' % op, [a, 1], getattr(A, op)(a, 1))
    p, q = a > 0, b > 0
    for op in ('logical_and', 'logical_or', 'logical_xor'):
        case('aten::%s.out' % op, [p, q], getattr(A, op)(p, q))
    case('aten::logical_not.out', [a], A.logical_not(a))
    case('aten::bitwise_and.Tensor_out', [p, q], A.bitwise_and(p, q))
    case('aten::bitwise_or.Tensor_out', [a, b], A.bitwise_or(a, b))
    case('aten::bitwise_xor.Tensor_out', [a, b], A.bitwise_xor(a, b))
    case('aten::bitwise_not.out', [a], A.bitwise_not(a))
    case('aten::bitwise_not.out', [p], A.bitwise_not(p))
    case('aten::where.self_out', [p, a, b], A.where(p, a, b))
    case('aten::where.self_out', [p, torch.tensor(0.0), torch.tensor(-math.inf)], A.where(p, torch.tensor(0.0), torch.tensor(-math.inf)))
    x = f(2, 3)
    case('aten::masked_fill.Scalar_out', [x, q, -7], A.masked_fill(x, q, -7))
    case('aten::cumsum.out', [a, 1, None], A.cumsum(a, 1))
    case('aten::sum.IntList_out', [a, [0], False, None], A.sum(a, [0]))


def conversions():
    x = torch.tensor([0.1, -2.7, 3.5, 65504.0, 1e-5, -0.0])
    for d in (torch.float16, torch.bfloat16, torch.float64, torch.int64, torch.int8, torch.bool):
        y = x[:3] if d == torch.int8 else x
        case('aten::_to_copy.out', [y, False, None], y.to(d), 0)
    for d in (torch.float16, torch.bfloat16):
        case('aten::_to_copy.out', [x.to(d), False, None], x.to(d).float(), 0)
    y = i(4)
    case('aten::_to_copy.out', [y, False, None], y.to(torch.int8), 0)
    case('aten::clone.out', [y, 0], y)
    case('aten::copy.out', [f(2, 3), torch.ones(3), False], torch.ones(2, 3))


def shapes():
    x = f(2, 3, 4)
    case('aten::view_copy.out', [x, [4, -1]], x.reshape(4, -1))
    case('aten::permute_copy.out', [x, [2, 0, 1]], A.permute_copy(x, [2, 0, 1]))
    case('aten::transpose_copy.int_out', [x, -1, 0], A.transpose_copy(x, -1, 0))
    case('aten::t_copy.out', [x[0]], A.t_copy(x[0]))
    case('aten::slice_copy.Tensor_out', [x, 2, 1, 2 ** 63 - 1, 2], A.slice_copy(x, 2, 1, 2 ** 63 - 1, 2))
    case('aten::slice_copy.Tensor_out', [x, 1, -2, None, 1], A.slice_copy(x, 1, -2, None, 1))
    case('aten::slice_copy.Tensor_out', [x, 1, 3, 2, 1], A.slice_copy(x, 1, 3, 2, 1))
    case('aten::select_copy.int_out', [x, 1, -1], A.select_copy(x, 1, -1))
    case('aten::squeeze_copy.dims_out', [x[:1], [0, 1]], A.squeeze_copy(x[:1], [0, 1]))
    case('aten::squeeze_copy.dim_out', [x[:1], 0], A.squeeze_copy(x[:1], 0))
    case('aten::unsqueeze_copy.out', [x, -1], A.unsqueeze_copy(x, -1))
    case('aten::expand_copy.out', [x[:1], [2, -1, 3, 4], False], A.expand_copy(x[:1], [2, -1, 3, 4]))
    case('aten::repeat.out', [x[0], [2, 1, 2]], A.repeat(x[0], [2, 1, 2]))
    case('aten::cat.out', [[x, x[:, :1], x[:, :0]], 1], A.cat([x, x[:, :1], x[:, :0]], 1))
    case('aten::stack.out', [[x[0], x[1]], -1], A.stack([x[0], x[1]], -1))
    case('aten::unbind_copy.int_out', [x, 1], list(A.unbind_copy(x, 1)), listed=True)
    case('aten::split_copy.Tensor_out', [x, 3, 2], list(A.split_copy(x, 3, 2)), listed=True)
    case('aten::split_with_sizes_copy.out', [x, [1, 2], 1], list(A.split_with_sizes_copy(x, [1, 2], 1)), listed=True)
    case('aten::slice_scatter.out', [x, torch.zeros(2, 2, 4), 1, 0, 3, 2], A.slice_scatter(x, torch.zeros(2, 2, 4), 1, 0, 3, 2))
    case('aten::select_scatter.out', [x, torch.zeros(2, 4), 1, 2], A.select_scatter(x, torch.zeros(2, 4), 1, 2))
    case('aten::constant_pad_nd.out', [x, [1, 2, -1, 0], 0.5], A.constant_pad_nd(x, [1, 2, -1, 0], 0.5))
    case('aten::flip.out', [x, [0, 2]], A.flip(x, [0, 2]))
    case('aten::roll.out', [x, [1, -2], [0, 2]], A.roll(x, [1, -2], [0, 2]))
    case('aten::roll.out', [x, [5], []], A.roll(x, [5], []))
    case('aten::tril.out', [x, 1], A.tril(x, 1))
    case('aten::triu.out', [x, -1], A.triu(x, -1))
    case('aten::full.out', [[2, 3], 7], torch.full((2, 3), 7.0))
    case('aten::full_like.out', [x, -1, None], torch.full_like(x, -1))
    case('aten::ones.out', [[3]], torch.ones(3, dtype=torch.int64))
    case('aten::zeros.out', [[3]], torch.zeros(3))
    case('aten::scalar_tensor.out', [5], torch.tensor(5, dtype=torch.int32))
    case('aten::arange.start_out', [2, 11, 3], torch.arange(2, 11, 3))
    case('aten::arange.start_out', [1.0, 2.0, 0.25], torch.arange(1.0, 2.0, 0.25))
    case('aten::arange.out', [4], torch.arange(4))
    case('aten::fill.Scalar_out', [x, 2.5], torch.full_like(x, 2.5))


def indices():
    w, ix = f(5, 3), torch.tensor([[4, 0], [2, 2]])
    case('aten::embedding.out', [w, ix, -1, False, False], A.embedding(w, ix))
    x = f(3, 4, 2)
    case('aten::index.Tensor_out', [x, [torch.tensor([2, 0])]], A.index(x, [torch.tensor([2, 0])]))
    case('aten::index.Tensor_out', [x, [None, torch.tensor([-1, 0])]], A.index(x, [None, torch.tensor([-1, 0])]))
    a, b = torch.tensor([[0], [2]]), torch.tensor([3, 1, 0])
    case('aten::index.Tensor_out', [x, [a, b]], A.index(x, [a, b]))
    c = torch.tensor([1, 0, 1])
    case('aten::index.Tensor_out', [x, [a, None, c]], A.index(x, [a, None, c]))
    v = f(3, 2, 2)
    case('aten::index_put.out', [x, [None, torch.tensor([3, 1])], v, False], A.index_put(x, [None, torch.tensor([3, 1])], v))
    case('aten::index_put.out', [x, [torch.tensor([1, 1])], torch.tensor(0.5), True], A.index_put(x, [torch.tensor([1, 1])], torch.tensor(0.5), True))
    case('aten::index_select.out', [x, 1, torch.tensor([3, 3, 0])], A.index_select(x, 1, torch.tensor([3, 3, 0])))
    g = torch.tensor([[[0, 1], [3, 2]]])
    case('aten::gather.out', [x, 1, g, False], A.gather(x, 1, g))
    s = f(1, 2, 2)
    case('aten::scatter.src_out', [x, 1, g, s], A.scatter(x, 1, g, s))
    case('aten::scatter.value_out', [x, 1, g, 9], A.scatter(x, 1, g, 9))
    case('aten::topk.values', [x, 2, 1, True, True], list(torch.topk(x, 2, 1)))


def reductions():
    x = f(2, 3, 4)
    for d in (torch.float32, torch.bfloat16):
        y = x.to(d)
        case('aten::mean.out', [y, [-1], True, None], A.mean(y, [-1], True))
    case('aten::mean.out', [x, [0, 2], False, None], A.mean(x, [0, 2], False))
    case('aten::sum.IntList_out', [x, [1], True, None], A.sum(x, [1], True))
    case('aten::sum.IntList_out', [x, None, False, None], A.sum(x, []), 1e-6)
    case('aten::amax.out', [x, [1, 2], False], A.amax(x, [1, 2]))
    case('aten::amin.out', [x, [0], True], A.amin(x, [0], True))
    case('aten::var.out', [x, [2], True, False], A.var(x, [2], True), 1e-6)
    case('aten::any.out', [x > 1.5, -1, True], A.any(x > 1.5, -1, True))
    case('aten::any.dims_out', [x > 1.9, [0, 1], False], A.any(x > 1.9, [0, 1], False))
    case('aten::argmax.out', [x, 1, False], A.argmax(x, 1))
    case('aten::argmin.out', [x, None, False], A.argmin(x))
    case('aten::cumsum.out', [x, 0, None], A.cumsum(x, 0))
    case('aten::_softmax.out', [x, 1, False], A._softmax(x, 1, False))
    case('aten::_log_softmax.out', [x, 2, False], A._log_softmax(x, 2, False), 1e-6)
    w, b = f(4), f(4)
    case('aten::native_layer_norm.out', [x, [4], w, b, 1e-5], list(A.native_layer_norm(x, [4], w, b, 1e-5)), 2e-6)


def products():
    for d in (torch.float32, torch.bfloat16, torch.float16):
        x, w, b = f(2, 3, 20, dtype=d, scale=1), f(5, 20, dtype=d, scale=1), f(5, dtype=d)
        t = {torch.float32: 2e-6, torch.bfloat16: 3e-2, torch.float16: 4e-3}[d]
        case('aten::linear.out', [x, w, None], A.linear(x, w), t)
        case('aten::linear.out', [x, w, b], A.linear(x, w, b), t)
    a, b = f(3, 4), f(4, 5)
    case('aten::mm.out', [a, b], A.mm(a, b), 2e-6)
    s = f(5)
    case('aten::addmm.out', [s, a, b, 2, 0.5], A.addmm(s, a, b, beta=2, alpha=0.5), 2e-6)
    a, b = f(2, 3, 4), f(2, 4, 5)
    case('aten::bmm.out', [a, b], A.bmm(a, b), 2e-6)
    x, w, b = f(2, 4, 7), f(6, 2, 3), f(6)
    case('aten::convolution.out', [x, w, b, [2], [1], [1], False, [0], 2], A.convolution(x, w, b, [2], [1], [1], False, [0], 2), 2e-6)
    x, w = f(1, 3, 6, 5), f(3, 1, 3, 2)
    case('aten::convolution.out', [x, w, None, [1, 2], [1, 0], [2, 1], False, [0, 0], 3],
         A.convolution(x, w, None, [1, 2], [1, 0], [2, 1], False, [0, 0], 3), 2e-6)


def quantized():
    x = torch.cat([f(3, 8), torch.zeros(1, 8), f(1, 8, scale=1e-6)])
    s, z = QD.choose_qparams_per_token_asymmetric(x[:4], torch.int8)
    case('quantized_decomposed::choose_qparams_per_token_asymmetric.out', [x[:3], 1], [s[:3].double(), z[:3].to(torch.int64)], 1e-6)
    s, z = s[:3].double(), z[:3].to(torch.int64)
    q = QD.quantize_per_token(x[:3], s, z, -128, 127, torch.int8)
    case('quantized_decomposed::quantize_per_token.out', [x[:3], s, z, -128, 127, 1], q, 0)
    y = QD.dequantize_per_token(q, s.float(), z, -128, 127, torch.int8, torch.float32)
    case('quantized_decomposed::dequantize_per_token.out', [q, s, z, -128, 127, 1, 6], y)
    cs, cz = torch.tensor([0.5, 0.25, 0.125], dtype=torch.float64), torch.tensor([1, 0, -3])
    q = QD.quantize_per_channel(x[:3], cs, cz, 0, -128, 127, torch.int8)
    case('quantized_decomposed::quantize_per_channel.out', [x[:3], cs, cz, 0, -128, 127, 1], q, 0)
    case('quantized_decomposed::dequantize_per_channel.out', [q, cs, cz, 0, -128, 127, 1, None], QD.dequantize_per_channel(q, cs, cz, 0, -128, 127, torch.int8).float())
    q = QD.quantize_per_tensor(x, 0.05, 3, -128, 127, torch.int8)
    case('quantized_decomposed::quantize_per_tensor.out', [x, 0.05, 3, -128, 127, 1], q, 0)
    case('quantized_decomposed::dequantize_per_tensor.out', [q, 0.05, 3, -128, 127, 1, None], QD.dequantize_per_tensor(q, 0.05, 3, -128, 127, torch.int8))
    w, ws, ix = i(5, 8, lo=-128, hi=128, dtype=torch.int8), f(5).abs(), torch.tensor([[4, 1]])
    full = w.float() * ws[:, None]
    case('quantized_decomposed::embedding_byte.dtype_out', [w, ws, None, -128, 127, ix, 6], full[ix])
    ws2, wz2 = f(5, 2).abs(), i(5, 2, dtype=torch.int8).float()
    full = (w.float() - wz2.repeat_interleave(4, 1)) * ws2.repeat_interleave(4, 1)
    case('quantized_decomposed::embedding_byte.dtype_out', [w, ws2, wz2, -128, 127, ix, 6], full[ix], 1e-6)
    code = i(5, 8, lo=0, hi=16, dtype=torch.uint8)
    packed = code[:, 0::2] * 16 + code[:, 1::2]
    full = (code.float() - 8) * ws2.repeat_interleave(4, 1)
    case('quantized_decomposed::embedding_4bit.dtype_out', [packed, ws2, None, -8, 7, ix, 6], full[ix])
    case('quantized_decomposed::embedding_4bit.out', [packed, ws2, None, -8, 7, ix], full[ix])
    code = i(5, 8, lo=0, hi=4, dtype=torch.uint8)
    packed = code[:, 0::4] + code[:, 1::4] * 4 + code[:, 2::4] * 16 + code[:, 3::4] * 64
    case('quantized_decomposed::embedding_2bit.dtype_out', [packed, ws2, None, -2, 1, ix, 6], ((code.float() - 2) * ws2.repeat_interleave(4, 1))[ix])


def attention():
    for start, rows in ((0, 3), (5, 1), (4, 4)):
        q, k, v = f(1, rows, 4, 8), f(1, 8, 2, 8), f(1, 8, 2, 8)
        case('llama::custom_sdpa.out', [q, k, v, start, None, 0.0, True, None], LL.custom_sdpa(q, k, v, start, None, 0.0, True, None), 2e-6)
    mask = torch.where(torch.rand(3, 8) < 0.3, -math.inf, 0.0)
    mask[:, 0] = 0.5
    q = f(1, 3, 4, 8)
    case('llama::custom_sdpa.out', [q, k, v, 2, mask, 0.0, False, 0.7], LL.custom_sdpa(q, k, v, 2, mask, 0.0, False, 0.7), 2e-6)


def hadamard():
    for n in (16, 28, 112):
        x = f(2, n)
        case('llama::fast_hadamard_transform.out', [x], LL.fast_hadamard_transform(x), 1e-6)


def delta_rule():
    for heads, shape in ((2, (1, 2, 5)), (4, (1, 2, 3)), (2, (1, 2, 4, 6))):
        t = shape[2]
        q, k, v, state = f(1, heads, t, 6), f(1, 2, t, 6) * 0.4, f(1, 2, t, 3), f(1, 2, 6, 3)
        decay, beta = torch.rand(shape), torch.rand(1, 2, t)
        case('llama::gated_delta_rule.out', [q, k, v, decay, beta, state], LL.gated_delta_rule(q, k, v, decay, beta, state), 3e-6)


arithmetic()
integers()
conversions()
shapes()
indices()
reductions()
products()
quantized()
attention()
hadamard()
delta_rule()
