"""A Gaussian of each label that the CVAE's latent vectors come from: p(z | y) = N(mean_y, root_y root_y^T).

The codes of a label's training images rarely fill the standard normal distribution. Draws from that then fall
between the codes, and look like no digit. The Gaussian of each label that maximises the bound is known in
closed form: it has the mean and covariance of these codes. It is set after training; a model that continues
in the next round is trained with it.
"""

import torch
from torch import Tensor, nn

_ROWS_OF_MEAN = 1.0
"""Codes at 0 that count beside those of a label, so that a label without images has the standard normal."""


class LabelPrior(nn.Module):
    """A Gaussian for each label.

    Args:
        classes: Number of labels.
        latent_dim: Length of the latent vector.
    """

    mean: Tensor
    root: Tensor

    def __init__(self, classes: int, latent_dim: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.empty(classes, latent_dim))
        self.register_buffer("root", torch.empty(classes, latent_dim, latent_dim))

    def start(self) -> None:
        """Begin with the standard normal distribution."""
        self.mean.zero_()
        self.root.copy_(torch.eye(self.mean.shape[1]))

    def place(self, noise: Tensor, label: Tensor) -> Tensor:
        """Turn standard normal noise, shape (n, latent_dim), into latent vectors of labels, shape (n,)."""
        return self.mean[label] + (self.root[label] @ noise[..., None]).squeeze(-1)

    def kl(self, mean: Tensor, log_variance: Tensor, label: Tensor) -> Tensor:
        """Return KL(q || p) in nats, shape (n,), of diagonal Gaussians q, shape (n, latent_dim)."""
        unit = torch.eye(self.mean.shape[1], device=mean.device)
        inverse = torch.linalg.solve_triangular(self.root, unit.expand_as(self.root), upper=False)
        apart = (inverse[label] @ (mean - self.mean[label])[..., None]).squeeze(-1)
        wide = log_variance.exp() * inverse.square().sum(1)[label]
        log_volume = self.root.diagonal(dim1=1, dim2=2).log().sum(1)[label]
        return (apart.square() + wide - 1 - log_variance).sum(1) / 2 + log_volume

    def fit(self, mean: Tensor, log_variance: Tensor, label: Tensor) -> None:
        """Set the Gaussians to the codes of the training images, as draws of q(z | x, y) have them.

        So that few images do not make a flat Gaussian, as many codes of a standard normal distribution count
        beside those of each label as there are latent dimensions, and one code at 0 for its mean: the
        normal-inverse-Wishart prior (A. Gelman et al., Bayesian Data Analysis, section 3.6).

        Args:
            mean: Means of q, shape (n, latent_dim).
            log_variance: Logarithms of the variances of q, shape (n, latent_dim).
            label: Class indices, shape (n,).
        """
        latent_dim = self.mean.shape[1]
        mean, variance = mean.double(), log_variance.double().exp()
        for y in range(len(self.mean)):
            here = label == y
            n = int(here.sum())
            center = mean[here].sum(0) / (n + _ROWS_OF_MEAN)
            apart = mean[here] - center
            scatter = (
                apart.T @ apart + variance[here].sum(0).diag() + _ROWS_OF_MEAN * torch.outer(center, center)
            )
            unit = torch.eye(latent_dim, dtype=torch.float64, device=mean.device)
            covariance = (scatter + latent_dim * unit) / (n + latent_dim)
            self.mean[y] = center
            self.root[y] = torch.linalg.cholesky(covariance)
