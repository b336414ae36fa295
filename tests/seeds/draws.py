"""The random numbers of the notebooks, without the libraries that drew them.

PyTorch, scikit-learn and NumPy's RandomState share one generator, the Mersenne Twister MT19937, and
seed it alike; NumPy promises that RandomState never changes. test_seeds_torch.py and
test_seeds_scikit_learn.py hold this against the libraries themselves.
"""

import numpy as np

from tinygrad_edu import data


class TorchDraws:
    """`rand` and `randn` as after torch.manual_seed(seed), for fewer than 16 normal numbers."""

    def __init__(self, seed):
        self.source = np.random.RandomState(seed)

    def _words(self, n):
        return [int(x) for x in self.source.randint(0, 2**32, n, dtype=np.uint32)]

    def rand(self, *shape):
        """Uniform float32 from [0, 1): the lower 24 bits of a word each."""
        words = self._words(int(np.prod(shape)))
        return np.array([(w % 2**24) / 2**24 for w in words], np.float32).reshape(shape)

    def randn(self, *shape):
        """Normal numbers in pairs, by Box and Muller, from uniform ones of 53 bits."""
        n = int(np.prod(shape))
        assert n < 16, "torch draws 16 and more in another order"
        assert n % 2 == 0, "the second of a pair would be kept for the next call"
        found = []
        for _ in range(n // 2):
            a, b, c, d = self._words(4)
            angle = 2 * np.pi * (((a << 32) + b) % 2**53) / 2**53
            radius = np.sqrt(-2 * np.log1p(-(((c << 32) + d) % 2**53) / 2**53))
            found += [radius * np.cos(angle), radius * np.sin(angle)]
        return np.array(found, np.float32).reshape(shape)


def split_of_the_digits(seed=42, test=360):
    """x_train, x_test, y_train, y_test as from scikit-learn's train_test_split."""
    x, y = data.load_digits()
    order = np.random.RandomState(seed).permutation(len(x))
    return x[order[test:]], x[order[:test]], y[order[test:]], y[order[:test]]


def standardized_digits():
    """That split with one mean and one deviation for all pixels, those of the training set."""
    x_train, x_test, y_train, y_test = split_of_the_digits()
    mean, deviation = x_train.mean(), x_train.std()
    return (x_train - mean) / deviation, (x_test - mean) / deviation, y_train, y_test


def regression_problem(seed=42, samples=100, features=4, bias=0.5):
    """x, y and coefficients as from scikit-learn's make_regression, all features informative."""
    source = np.random.RandomState(seed)
    x = source.standard_normal((samples, features))
    coefficients = 100 * source.uniform(size=features)
    y = x @ coefficients + bias
    rows, columns = np.arange(samples), np.arange(features)
    source.shuffle(rows)
    source.shuffle(columns)
    return x[rows][:, columns], y[rows], coefficients[columns]


def bent_points(noise):
    """x and x² + 0.2 · noise at 100 points from -1 to 1, as columns."""
    x = np.linspace(-1, 1, 100).reshape(-1, 1)
    return x, x**2 + 0.2 * np.asarray(noise, float).reshape(-1, 1)


def enlarged_digits(side):
    """The bundled digits as pictures of 16 × 16 or 28 × 28, brightness 0 to 1, and their labels.

    Each pixel becomes a square of 2 × 2 or 3 × 3, with 2 pixels of margin around the latter.
    """
    pixels, labels = data.load_digits()
    pictures = np.kron(pixels.reshape(-1, 8, 8) / 16, np.ones((side // 8, side // 8)))
    margin = (side - pictures.shape[1]) // 2
    pictures = np.pad(pictures, ((0, 0), (margin, margin), (margin, margin)))
    return pictures.reshape(len(labels), side * side), labels
