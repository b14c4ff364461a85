// Causal attention and the softmax of the output layer, in plain C++ for any processor.
//
// No header of PyTorch: that would cost twenty seconds of compilation. All products and sums are
// in fp32; bf16 is only how numbers come in and go out. Each head is one thread's work, in a
// scratch space that stays in its cache.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <vector>

namespace {

#if defined(__AVX512F__)
constexpr int kLanes = 16, kRows = 8, kBlock = 64;
#elif defined(__AVX__)
constexpr int kLanes = 8, kRows = 6, kBlock = 48;
#else
constexpr int kLanes = 4, kRows = 6, kBlock = 48;
#endif
// Products go by tiles [kRows, kTile] that fill the registers, queries by blocks.
constexpr int kVectors = 2, kTile = kVectors * kLanes, kSpaced = (kBlock / 16 | 1) * 16;

typedef float Vec __attribute__((vector_size(kLanes * sizeof(float)), aligned(4)));

int64_t padded(int64_t n) { return (n + kTile - 1) / kTile * kTile; }
// Floats from row to row: an odd number of cache lines, else the rows of a column collide.
int64_t spaced(int64_t n) { return ((padded(n) + 15) / 16 | 1) * 16; }

constexpr float kInfinity = std::numeric_limits<float>::infinity();

struct BF16 {
    uint16_t bits;
};
inline float to_float(float x) { return x; }
inline float to_float(BF16 x) {
    uint32_t bits = uint32_t(x.bits) << 16;
    float out;
    std::memcpy(&out, &bits, 4);
    return out;
}
inline void put(float x, float& out) { out = x; }
inline void put(float x, BF16& out) {  // to nearest, ties to even; a NaN stays one
    uint32_t bits;
    std::memcpy(&bits, &x, 4);
    uint32_t rounded = (bits + 0x7FFF + ((bits >> 16) & 1)) >> 16;
    out.bits = uint16_t(x == x ? rounded : 0x7FC0);
}

// exp(x) for x <= 0 within two units in the last place; exp(-87), not 0, below that.
inline float exp_negative(float x) {
    x = std::max(x, -87.0f);
    float n = x * 1.44269504f + 12582912.0f;  // 1.5 * 2^23: the integer is in the low bits
    int32_t bits;
    std::memcpy(&bits, &n, 4);
    n -= 12582912.0f;
    const float r = x - n * 0.693359375f + n * 2.12194440e-4f;
    float p = 1.9875691500e-4f;
    p = p * r + 1.3981999507e-3f;
    p = p * r + 8.3334519073e-3f;
    p = p * r + 4.1665795894e-2f;
    p = p * r + 1.6666665459e-1f;
    p = p * r + 5.0000001201e-1f;
    p = p * r * r + r + 1.0f;
    const int32_t power = (bits + 127) << 23;
    float scale;
    std::memcpy(&scale, &power, 4);
    return p * scale;
}

// One tile C [ROWS, kTile] = (C +) A B; A is read at a[i * ai + k * ak], B has rows of ldb.
template <int ROWS, bool ADD>
void tile(int64_t depth, const float* a, int64_t ai, int64_t ak, const float* b, int64_t ldb,
          float* c, int64_t ldc) {
    Vec acc[ROWS][kVectors];
#pragma GCC unroll 16
    for (int i = 0; i < ROWS; ++i)
#pragma GCC unroll 16
        for (int j = 0; j < kVectors; ++j) {
            acc[i][j] = ADD ? *reinterpret_cast<Vec*>(c + i * ldc + j * kLanes) : Vec{};
        }
    for (int64_t k = 0; k < depth; ++k, a += ak, b += ldb) {
        Vec row[kVectors];
#pragma GCC unroll 16
        for (int j = 0; j < kVectors; ++j) row[j] = *reinterpret_cast<const Vec*>(b + j * kLanes);
#pragma GCC unroll 16
        for (int i = 0; i < ROWS; ++i)
#pragma GCC unroll 16
            for (int j = 0; j < kVectors; ++j) acc[i][j] += a[i * ai] * row[j];
    }
#pragma GCC unroll 16
    for (int i = 0; i < ROWS; ++i)
#pragma GCC unroll 16
        for (int j = 0; j < kVectors; ++j)
            *reinterpret_cast<Vec*>(c + i * ldc + j * kLanes) = acc[i][j];
}

// C [rows, columns] = (C +) A B; `columns` is a multiple of kTile, and B fits the first cache.
template <bool ADD>
void product(int64_t rows, int64_t columns, int64_t depth, const float* a, int64_t ai, int64_t ak,
             const float* b, int64_t ldb, float* c, int64_t ldc) {
    int64_t i = 0;
    for (; i + kRows <= rows; i += kRows)
        for (int64_t j = 0; j < columns; j += kTile)
            tile<kRows, ADD>(depth, a + i * ai, ai, ak, b + j, ldb, c + i * ldc + j, ldc);
    for (; i < rows; ++i)
        for (int64_t j = 0; j < columns; j += kTile)
            tile<1, ADD>(depth, a + i * ai, ai, ak, b + j, ldb, c + i * ldc + j, ldc);
}

// Rows [T, width] with `stride` as fp32 rows of `ld`; the rest of a row is left as it is.
template <typename S>
void gather(const S* from, int64_t stride, int64_t T, int64_t width, float* to, int64_t ld) {
    for (int64_t t = 0; t < T; ++t)
        for (int64_t k = 0; k < width; ++k) to[t * ld + k] = to_float(from[t * stride + k]);
}

template <typename S>
void scatter(const float* from, int64_t ld, int64_t T, int64_t width, S* to, int64_t stride) {
    for (int64_t t = 0; t < T; ++t)
        for (int64_t k = 0; k < width; ++k) put(from[t * ld + k], to[t * stride + k]);
}

struct Shape {
    int64_t B, N, T, K;
    float scale;
};
// Elements from one row, head and position to the next.
struct Strides {
    int64_t b, n, t;
    int64_t at(int64_t bn, int64_t N) const { return bn / N * b + bn % N * n; }
};

// Queries of a block as columns [K, kBlock] and as rows, both times `scale`; zero after `rows`.
template <typename S>
void block_of(const S* from, int64_t stride, int64_t rows, int64_t K, float scale, float* columns,
              float* natural, int64_t ld) {
    for (int64_t i = 0; i < kBlock; ++i)
        for (int64_t k = 0; k < K; ++k)
            natural[i * ld + k] = i < rows ? scale * to_float(from[i * stride + k]) : 0.0f;
    for (int64_t k = 0; k < K; ++k)
        for (int64_t i = 0; i < kBlock; ++i) columns[k * kSpaced + i] = natural[i * ld + k];
}

// P [seen, kBlock] = A [seen, K] B [K, kBlock], without most of what lies above the diagonal.
void scores(int64_t first, int64_t seen, int64_t K, const float* a, int64_t ld, const float* b,
            float* p) {
    product<false>(first, kBlock, K, a, ld, 1, b, kSpaced, p, kSpaced);
    for (int64_t i = first; i < seen; i += kRows) {
        const int64_t j = (i - first) / kTile * kTile;
        product<false>(std::min<int64_t>(kRows, seen - i), kBlock - j, K, a + i * ld, ld, 1, b + j,
                       kSpaced, p + i * kSpaced + j, kSpaced);
    }
}

// C [rows, K] = P^T [rows, seen] B [seen, K]; P is zero above the diagonal.
void weighted(int64_t first, int64_t rows, int64_t Kc, const float* p, const float* b, int64_t ld,
              float* c) {
    const int64_t seen = first + rows;
    for (int64_t j = 0; j < seen; j += kBlock) {
        const int64_t depth = std::min<int64_t>(kBlock, seen - j);
        const float *pj = p + j * kSpaced, *bj = b + j * ld;
        if (j == 0)
            product<false>(rows, Kc, depth, pj, 1, kSpaced, bj, ld, c, ld);
        else
            product<true>(rows, Kc, depth, pj, 1, kSpaced, bj, ld, c, ld);
    }
}

template <typename S>
void forward_head(const Shape& s, const S* q, int64_t qs, const S* k, int64_t ks, const S* v,
                  int64_t vs, S* out, int64_t os, float* lse, int64_t ls, float* scratch) {
    const int64_t T = s.T, K = s.K, Kc = padded(K), Kp = spaced(K);
    float* keys = scratch;
    float* values = keys + T * Kp;
    float* P = values + T * Kp;
    float* columns = P + T * kSpaced;
    float* O = columns + K * kSpaced;
    gather(k, ks, T, K, keys, Kp);
    gather(v, vs, T, K, values, Kp);
    for (int64_t first = 0; first < T; first += kBlock) {
        const int64_t rows = std::min<int64_t>(kBlock, T - first), seen = first + rows;
        block_of(q + first * qs, qs, rows, K, s.scale, columns, O, Kp);
        scores(first, seen, K, keys, Kp, columns, P);
        float top[kBlock], sum[kBlock];
        for (int i = 0; i < kBlock; ++i) top[i] = -kInfinity;
        for (int64_t j = 0; j < seen; ++j) {
            float* p = P + j * kSpaced;
            for (int64_t i = 0; i < j - first; ++i) p[i] = -kInfinity;
            for (int i = 0; i < kBlock; ++i) top[i] = top[i] < p[i] ? p[i] : top[i];
        }
        for (int i = 0; i < kBlock; ++i) sum[i] = 0.0f;
        for (int64_t j = 0; j < seen; ++j) {
            float* p = P + j * kSpaced;
            for (int i = 0; i < kBlock; ++i) p[i] = exp_negative(p[i] - top[i]);
            for (int64_t i = 0; i < j - first; ++i) p[i] = 0.0f;
            for (int i = 0; i < kBlock; ++i) sum[i] += p[i];
        }
        weighted(first, rows, Kc, P, values, Kp, O);
        for (int64_t i = 0; i < rows; ++i) {
            lse[(first + i) * ls] = top[i] + std::log(sum[i]);
            const float inverse = 1.0f / sum[i];
            for (int64_t c = 0; c < K; ++c)
                put(O[i * Kp + c] * inverse, out[(first + i) * os + c]);
        }
    }
}

template <typename S>
void backward_head(const Shape& s, const S* grad, int64_t gs, const S* q, int64_t qs, const S* k,
                   int64_t ks, const S* v, int64_t vs, const S* out, int64_t os, const float* lse,
                   int64_t ls, S* dq, int64_t dqs, S* dk, int64_t dks, S* dv, int64_t dvs,
                   float* scratch) {
    const int64_t T = s.T, K = s.K, Kc = padded(K), Kp = spaced(K);
    float* keys = scratch;
    float* values = keys + T * Kp;
    float* dK = values + T * Kp;
    float* dV = dK + T * Kp;
    float* P = dV + T * Kp;
    float* D = P + T * kSpaced;
    float* columns = D + T * kSpaced;
    float* Q = columns + K * kSpaced;
    float* G = Q + kBlock * Kp;
    gather(k, ks, T, K, keys, Kp);
    gather(v, vs, T, K, values, Kp);
    std::fill(dK, dV + T * Kp, 0.0f);
    for (int64_t first = 0; first < T; first += kBlock) {
        const int64_t rows = std::min<int64_t>(kBlock, T - first), seen = first + rows;
        block_of(q + first * qs, qs, rows, K, s.scale, columns, Q, Kp);
        scores(first, seen, K, keys, Kp, columns, P);
        block_of(grad + first * gs, gs, rows, K, 1.0f, columns, G, Kp);
        scores(first, seen, K, values, Kp, columns, D);
        float total[kBlock] = {}, delta[kBlock] = {};
        for (int64_t i = 0; i < rows; ++i) {
            total[i] = lse[(first + i) * ls];
            const S* o = out + (first + i) * os;
            float sum = 0.0f;
#pragma omp simd reduction(+ : sum)
            for (int64_t c = 0; c < K; ++c) sum += to_float(o[c]) * G[i * Kp + c];
            delta[i] = sum;
        }
        for (int64_t j = 0; j < seen; ++j) {
            float *p = P + j * kSpaced, *d = D + j * kSpaced;
            for (int i = 0; i < kBlock; ++i) {
                p[i] = exp_negative(std::min(p[i] - total[i], 0.0f));
                d[i] = p[i] * (d[i] - delta[i]);
            }
            for (int64_t i = 0; i < j - first; ++i) p[i] = d[i] = 0.0f;
        }
        product<true>(seen, Kc, rows, P, kSpaced, 1, G, Kp, dV, Kp);
        product<true>(seen, Kc, rows, D, kSpaced, 1, Q, Kp, dK, Kp);
        weighted(first, rows, Kc, D, keys, Kp, G);
        for (int64_t i = 0; i < rows; ++i)
            for (int64_t c = 0; c < K; ++c)
                put(G[i * Kp + c] * s.scale, dq[(first + i) * dqs + c]);
    }
    scatter(dK, Kp, T, K, dk, dks);
    scatter(dV, Kp, T, K, dv, dvs);
}

// The sum of nats of a row, and its gradient by the logits in their place.
template <typename S>
float softmax_row(int64_t columns, S* row, int64_t target, float* p) {
    float top = -kInfinity, sum = 0.0f;
    for (int64_t j = 0; j < columns; ++j) p[j] = to_float(row[j]);
    const float logit = p[target];
#pragma omp simd reduction(max : top)
    for (int64_t j = 0; j < columns; ++j) top = top < p[j] ? p[j] : top;
#pragma omp simd reduction(+ : sum)
    for (int64_t j = 0; j < columns; ++j) sum += p[j] = exp_negative(p[j] - top);
    const float inverse = 1.0f / sum;
    p[target] -= sum;
    for (int64_t j = 0; j < columns; ++j) put(p[j] * inverse, row[j]);
    return top + std::log(sum) - logit;
}

template <typename S>
void softmax_rows(int64_t rows, int64_t columns, S* logits, int64_t stride, const int64_t* targets,
                  float* nats) {
#pragma omp parallel
    {
        std::vector<float> p(columns);
#pragma omp for schedule(static)
        for (int64_t i = 0; i < rows; ++i)
            nats[i] = softmax_row(columns, logits + i * stride, targets[i], p.data());
    }
}

template <typename S>
void attention_forward(const Shape& s, const S* q, const S* k, const S* v, S* out, float* lse,
                       const Strides* at) {
    const int64_t Kp = spaced(s.K);
    const int64_t size = 2 * s.T * Kp + (s.T + s.K) * kSpaced + kBlock * Kp;
#pragma omp parallel
    {
        std::vector<float> scratch(size, 0.0f);
#pragma omp for schedule(static)
        for (int64_t bn = 0; bn < s.B * s.N; ++bn)
            forward_head(s, q + at[0].at(bn, s.N), at[0].t, k + at[1].at(bn, s.N), at[1].t,
                         v + at[2].at(bn, s.N), at[2].t, out + at[3].at(bn, s.N), at[3].t,
                         lse + at[4].at(bn, s.N), at[4].t, scratch.data());
    }
}

template <typename S>
void attention_backward(const Shape& s, const S* grad, const S* q, const S* k, const S* v,
                        const S* out, const float* lse, S* dq, S* dk, S* dv, const Strides* at) {
    const int64_t Kp = spaced(s.K);
    const int64_t size = 4 * s.T * Kp + (2 * s.T + s.K) * kSpaced + 2 * kBlock * Kp;
#pragma omp parallel
    {
        std::vector<float> scratch(size, 0.0f);
#pragma omp for schedule(static)
        for (int64_t bn = 0; bn < s.B * s.N; ++bn)
            backward_head(s, grad + at[0].at(bn, s.N), at[0].t, q + at[1].at(bn, s.N), at[1].t,
                          k + at[2].at(bn, s.N), at[2].t, v + at[3].at(bn, s.N), at[3].t,
                          out + at[4].at(bn, s.N), at[4].t, lse + at[5].at(bn, s.N), at[5].t,
                          dq + at[6].at(bn, s.N), at[6].t, dk + at[7].at(bn, s.N), at[7].t,
                          dv + at[8].at(bn, s.N), at[8].t, scratch.data());
    }
}

}  // namespace

extern "C" {

void forward_fp32(const Shape* s, const float* q, const float* k, const float* v, float* out,
                  float* lse, const Strides* at) {
    attention_forward(*s, q, k, v, out, lse, at);
}
void forward_bf16(const Shape* s, const BF16* q, const BF16* k, const BF16* v, BF16* out,
                  float* lse, const Strides* at) {
    attention_forward(*s, q, k, v, out, lse, at);
}
void backward_fp32(const Shape* s, const float* grad, const float* q, const float* k,
                   const float* v, const float* out, const float* lse, float* dq, float* dk,
                   float* dv, const Strides* at) {
    attention_backward(*s, grad, q, k, v, out, lse, dq, dk, dv, at);
}
void backward_bf16(const Shape* s, const BF16* grad, const BF16* q, const BF16* k, const BF16* v,
                   const BF16* out, const float* lse, BF16* dq, BF16* dk, BF16* dv,
                   const Strides* at) {
    attention_backward(*s, grad, q, k, v, out, lse, dq, dk, dv, at);
}
void softmax_fp32(int64_t rows, int64_t columns, float* logits, int64_t stride,
                  const int64_t* targets, float* nats) {
    softmax_rows(rows, columns, logits, stride, targets, nats);
}
void softmax_bf16(int64_t rows, int64_t columns, BF16* logits, int64_t stride,
                  const int64_t* targets, float* nats) {
    softmax_rows(rows, columns, logits, stride, targets, nats);
}
}
