"""The NELBO's terms under the uniform transition, for any framework with NumPy's functions."""

from typing import Any

_MAX_LOG_RATIO = 60.0  # exp of it is a number in fp32
_TINY = 1e-37


def log_evidence(steps_N: Any, num_steps: int, vocab: int, xp: Any) -> Any:
    """ln of q(x_t | x_0 = x_t) / q(x_t | x_0 another token) [N] at noise steps [N]."""
    noise_N = steps_N / num_steps
    return xp.log1p((1 - noise_N) * vocab / noise_N)


def uniform_divergence(
    log_probs_NV: Any, picked: Any, steps_N: Any, num_steps: int, xp: Any
) -> Any:
    """KL(q(x_s | x_t, x_0) || p(x_s | x_t)) [N] for s = t - 1 under the uniform transition.

    `log_probs_NV` are of the predicted x_0 *without* the evidence of x_t itself; `picked` are
    those of the clean and of the noisy token [N], and whether these two are the same [N]; `xp`
    is the framework's module (`torch` or `mlx.core`).

    The predicted reverse step is the true one averaged over the predicted x_0. Austin et al.
    (equation 4) weight by q(x_s, x_t | x_0) instead, which counts the evidence of x_t twice
    where predictions are trained by cross-entropy; so that evidence is taken out first.

    With q(x_t = k | x_s = j) = stays [j = k] + moves, and over x_s the true n_j = kept [j = x_0]
    + c and the predicted m_j = kept p_j + c, the posteriors are products of the first with n
    or m, and the divergence needs only the sum of log m_j and the entries at x_0 and x_t.
    """
    log_p_clean, log_p_noisy, is_same = picked
    V = log_probs_NV.shape[1]
    kept = 1 - (steps_N - 1) / num_steps  # of x_0 in x_s
    stays = (1 - steps_N / num_steps) / kept  # of x_s in x_t
    moves, c = (1 - stays) / V, (1 - kept) / V
    m_clean, m_noisy = kept * xp.exp(log_p_clean) + c, kept * xp.exp(log_p_noisy) + c

    def safe_log(x: Any) -> Any:
        return xp.log(xp.clip(x, _TINY, None))

    # KL(n || m); at c = 0 all of n is at x_0.
    safe_c = xp.clip(c, 1e-30, None)
    log_m_over_c = (kept / safe_c)[:, None] * xp.exp(log_probs_NV)
    others = -c * (xp.log1p(log_m_over_c).sum(1) - xp.log(m_clean / safe_c))
    n_clean = kept + c
    log_m_clean = xp.where(c > 0, safe_log(m_clean), log_p_clean)
    total = xp.where(c > 0, others, 0.0) + n_clean * (xp.log(n_clean) - log_m_clean)
    # What the noisy token adds, in the form that does not cancel (see README).
    n_noisy = xp.where(is_same, n_clean, c)
    z = stays * n_noisy + moves
    moved = moves / z
    log_m_noisy = xp.where(c > 0, safe_log(m_noisy), log_p_noisy)
    ratio = xp.clip(safe_log(n_noisy) - log_m_noisy, -_MAX_LOG_RATIO, _MAX_LOG_RATIO)
    small = -moved * ratio + xp.log1p(xp.clip(moved * xp.expm1(ratio), -0.999999, None))
    large = (1 - moved) * ratio + xp.log(stays * m_noisy / z + moved)
    return moved * total + xp.where((moved < 0.5) | (ratio >= 0), small, large)
