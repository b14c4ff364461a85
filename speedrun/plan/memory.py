"""What training holds in memory, in bytes, before anything is allocated."""

from dataclasses import dataclass

BYTES = {"fp32": 4, "bf16": 2, "fp16": 2}
# Bytes a parameter of optimizer state, the fp32 master copy (4) included: Anthony et al. 2023
# ("Transformer Math 101") for all but Muon, whose matrices have one moment (Jordan et al. 2024).
OPTIMIZER_BYTES = {"adamw": 12, "adamw8bit": 6, "sgd": 8, "muon": 8}
MASTER_BYTES = 4
# Values kept for the backward pass, per channel of the stream and layer. Measured as peak
# resident memory against rows, PyTorch on a processor, fp32: 38 (10M, `tiny`) to 50 (250K),
# compiled 47 to 54. Korthikanti et al. 2022 (equation 1) count 17 for GPT's plain layers.
ACTIVATION_FACTOR = 46
# A cross-entropy behind an accelerator holds logits, both levels' parts and the gradient, fp32.
LOGIT_COPIES = 4
# The program before the first step: 320 MB with PyTorch alone, and what reads the data in a race.
PROGRAM_BYTES = 460e6
MARGIN = 0.30  # of what a device has, left free
INFERENCE = 1.2  # times the weights (Anthony et al. 2023)
CHECKPOINTED = 5  # times less activations, as commonly given
CHECKPOINT_COMPUTE = 2.0  # times compute, as commonly given; one more forward pass alone is 8/6


@dataclass(frozen=True, kw_only=True)
class State:
    """What a model in training holds whatever the batch, in bytes."""

    weights: float
    gradients: float
    optimizer: float
    is_mixed: bool

    @property
    def total(self) -> float:
        return self.weights + self.gradients + self.optimizer

    @property
    def least(self) -> float:
        """In mixed precision gradients can be applied as they come, and none are kept."""
        return self.total - (self.gradients if self.is_mixed else 0.0)


def state(num_params: float, num_matrix: float, dtype: str, optimizer: str) -> State:
    """Weights, gradients and optimizer states; `num_matrix` of the weights are Muon's.

    In fp32 the weights are their own master copy: AdamW has 4 + 4 + 8 = 16 bytes a parameter.
    Mixed precision has 2 + 2 + 12 = 16, or 14 without gradients.
    """
    is_mixed = BYTES[dtype] < MASTER_BYTES
    master = 0 if is_mixed else MASTER_BYTES  # already counted as weights
    states = num_params * (OPTIMIZER_BYTES[optimizer] - master)
    if optimizer == "muon":
        states += (num_params - num_matrix) * (OPTIMIZER_BYTES["adamw"] - OPTIMIZER_BYTES["muon"])
    per_value = BYTES[dtype]
    return State(
        weights=num_params * per_value,
        gradients=num_params * per_value,
        optimizer=states,
        is_mixed=is_mixed,
    )


def activations(batch_rows: int, context: int, width: int, depth: int, dtype: str) -> float:
    """batch × context × width × depth × bytes × `ACTIVATION_FACTOR`."""
    return batch_rows * context * width * depth * BYTES[dtype] * ACTIVATION_FACTOR


def logits(batch_rows: int, context: int, vocab: int) -> float:
    """Of all targets at once, as on accelerators; on processors they are made in small pieces."""
    return batch_rows * context * vocab * 4.0 * LOGIT_COPIES


def sharded(held: State, num_devices: int) -> tuple[float, float, float]:
    """Bytes a device at the three stages of ZeRO (Rajbhandari et al. 2020, §5)."""
    first = held.weights + held.gradients + held.optimizer / num_devices
    second = held.weights + (held.gradients + held.optimizer) / num_devices
    return first, second, held.total / num_devices


def usable(memory_bytes: float) -> float:
    """What of a device's memory a plan may fill."""
    return (1 - MARGIN) * memory_bytes
