"""Bugs of losses: a gradient that belongs to another function, shapes that broadcast silently."""

import numpy as np

from exhibits.frame import bug, cure
from tinygrad_edu import check_backward

rng = np.random.default_rng(1)
PREDICTION, TARGET = rng.normal(size=(4, 1)), rng.normal(size=4)
WIDE_PREDICTION, ONE_TARGET = rng.normal(size=(3, 4)), np.array([[0.0], [1.0], [0.0]])
SCORES, LABELS = rng.normal(size=(3, 3)), np.array([0, 2, 1])


def softmax(x):
    """Softmax along the last axis."""
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


@bug(3, "Cross-entropy without its minus", "000")
def without_minus():
    """The gradient was that of the right loss. Only the printed loss was wrong: it was negative."""

    def cross_entropy(x, t):
        return np.sum(t * np.log(softmax(x))) / len(x)

    def gradient(x, t):
        return (softmax(x) - t) / len(x)

    check_backward(cross_entropy, gradient, SCORES, np.eye(3)[LABELS])


@cure(3)
def with_minus():
    """A loss is minus the logarithm of a probability."""

    def cross_entropy(x, t):
        return -np.sum(t * np.log(softmax(x))) / len(x)

    def gradient(x, t):
        return (softmax(x) - t) / len(x)

    check_backward(cross_entropy, gradient, SCORES, np.eye(3)[LABELS])


@bug(4, "X[:0], an empty slice, in a loss", "000")
def empty_slice():
    """The first column was meant. The mean of an empty slice is nan."""

    def mean_squared_error(x, y):
        return ((x[:0] - y) ** 2).mean()

    def gradient(x, y):
        return 2 * (x[:, :1] - y[:, None]) / len(y)

    check_backward(mean_squared_error, gradient, PREDICTION, TARGET)


@cure(4)
def first_column():
    """`x[:, 0]` is the first column."""

    def mean_squared_error(x, y):
        return ((x[:, 0] - y) ** 2).mean()

    def gradient(x, y):
        return 2 * (x[:, :1] - y[:, None]) / len(y)

    check_backward(mean_squared_error, gradient, PREDICTION, TARGET)


@bug(5, "An epsilon inside softmax and log", "000, 002")
def epsilon():
    """It guards against log(0), but makes the loss another function, whose gradient is no longer
    (y - t) / N. Where the network is sure and wrong, it is nearly 0."""

    class SoftmaxWithLoss:
        def forward(self, x, t):
            self.y, self.t = softmax(x), t
            return -np.sum(t * np.log(self.y + 1e-7)) / len(x)

        def backward(self, dout=1):
            return (self.y - self.t) / len(self.t)

    check_backward(SoftmaxWithLoss(), np.array([[20.0, 0.0]]), np.array([[0.0, 1.0]]))


@cure(5)
def log_softmax():
    """log softmax(x) = x - log(sum(exp(x))) needs no epsilon."""

    class SoftmaxWithLoss:
        def forward(self, x, t):
            self.y, self.t = softmax(x), t
            x = x - x.max(axis=-1, keepdims=True)
            log_y = x - np.log(np.exp(x).sum(axis=-1, keepdims=True))
            return -np.sum(t * log_y) / len(x)

        def backward(self, dout=1):
            return (self.y - self.t) / len(self.t)

    check_backward(SoftmaxWithLoss(), np.array([[20.0, 0.0]]), np.array([[0.0, 1.0]]))


@bug(9, "A loss that is a vector", "001")
def vector_loss():
    """The mean was taken along axis 1, which has one element, so nothing was averaged."""

    class MSELoss:
        def forward(self, prediction, target):
            return ((prediction - target) ** 2).mean(axis=1)

        def backward(self, prediction, target):
            self.dprediction = 2 / len(prediction) * (prediction - target)

    check_backward(MSELoss(), PREDICTION, TARGET[:, None])


@cure(9)
def scalar_loss():
    """Take the mean over everything: a loss is one number."""

    class MSELoss:
        def forward(self, prediction, target):
            return ((prediction - target) ** 2).mean()

        def backward(self, prediction, target):
            self.dprediction = 2 / len(prediction) * (prediction - target)

    check_backward(MSELoss(), PREDICTION, TARGET[:, None])


@bug(10, "(3, 1) silently broadcast against (3, 4)", "001")
def silent_broadcast():
    """Every target was compared with four predictions. The gradient of the target shows that it
    was repeated."""

    def loss(prediction, target):
        return ((prediction - target) ** 2).mean()

    def gradient(prediction, target):
        d = 2 * (prediction - target) / prediction.size
        return d, -d

    check_backward(loss, gradient, WIDE_PREDICTION, ONE_TARGET)


@cure(10)
def asked_for():
    """Give the target the shape of the prediction. `nn.mse_loss` refuses anything else."""

    def loss(prediction, target):
        assert prediction.shape == target.shape
        return ((prediction - target) ** 2).mean()

    def gradient(prediction, target):
        d = 2 * (prediction - target) / prediction.size
        return d, -d

    check_backward(loss, gradient, WIDE_PREDICTION, np.repeat(ONE_TARGET, 4, axis=1))


@bug(13, "Class indices told from one-hot by their size", "002")
def told_by_size():
    """A single one-hot sample has as many labels as scores, so the layer takes its labels for class
    indices."""

    class SoftmaxWithLoss:
        def forward(self, x, t):
            self.y, self.t = softmax(x), t
            return -np.sum(t * np.log(self.y))

        def backward(self, dout=1):
            if self.t.size == self.y.shape[0]:
                dx = self.y.copy()
                dx[np.arange(len(self.t)), self.t] -= 1
                return dx / len(self.t)
            return (self.y - self.t) / len(self.t)

    check_backward(SoftmaxWithLoss(), SCORES[0], np.array([0, 0, 1]))


@cure(13)
def told_by_shape():
    """One-hot labels have the shape of the scores."""

    class SoftmaxWithLoss:
        def forward(self, x, t):
            self.y, self.t = softmax(x), t
            return -np.sum(t * np.log(self.y))

        def backward(self, dout=1):
            if self.t.shape != self.y.shape:
                dx = self.y.copy()
                dx[np.arange(len(self.t)), self.t] -= 1
                return dx / len(self.t)
            return self.y - self.t

    check_backward(SoftmaxWithLoss(), SCORES[0], np.array([0, 0, 1]))


@bug(15, "(N, 1) - (N,) gives (N, N)", "003")
def outer_difference():
    """Every prediction is compared with every target."""

    def mean_squared_error(output, target):
        return ((output - target) ** 2).mean()

    def gradient(output, target):
        return 2 * (output - target) / len(target)

    check_backward(mean_squared_error, gradient, PREDICTION, TARGET)


@cure(15)
def one_shape():
    """Bring both to the same shape first."""

    def mean_squared_error(output, target):
        return ((output[:, 0] - target) ** 2).mean()

    def gradient(output, target):
        return 2 * (output - target[:, None]) / len(target)

    check_backward(mean_squared_error, gradient, PREDICTION, TARGET)


@bug(17, "squeeze() breaks a batch of one", "003")
def squeeze_all():
    """squeeze() removes every axis of length 1, and a batch of one has two of them."""

    class MSE:
        def forward(self, x, target):
            return ((x.squeeze() - target) ** 2).mean()

        def backward(self, x, target):
            return 2 * np.expand_dims(x.squeeze() - target, -1) / target.size

    check_backward(MSE(), PREDICTION, TARGET)
    check_backward(MSE(), PREDICTION[:1], TARGET[0])


@cure(17)
def one_axis():
    """Name the axis."""

    class MSE:
        def forward(self, x, target):
            return ((x[:, 0] - target) ** 2).mean()

        def backward(self, x, target):
            return 2 * np.expand_dims(x[:, 0] - target, -1) / target.size

    check_backward(MSE(), PREDICTION, TARGET)
    check_backward(MSE(), PREDICTION[:1], TARGET[0])


@bug(19, "Only the one-hot branch in backward", "004")
def only_one_hot():
    """With as many samples as classes, class indices subtract without an error, and the gradient
    is silently wrong."""

    class SoftmaxWithLoss:
        def forward(self, x, t):
            self.y, self.t = softmax(x), t
            return -np.log(self.y[np.arange(len(t)), t]).mean()

        def backward(self, dout=1):
            return (self.y - self.t) / len(self.t)

    check_backward(SoftmaxWithLoss(), SCORES, LABELS)


@cure(19)
def both_branches():
    """Turn class indices into one-hot rows first."""

    class SoftmaxWithLoss:
        def forward(self, x, t):
            self.y, self.t = softmax(x), t
            return -np.log(self.y[np.arange(len(t)), t]).mean()

        def backward(self, dout=1):
            return (self.y - np.eye(self.y.shape[1])[self.t]) / len(self.t)

    check_backward(SoftmaxWithLoss(), SCORES, LABELS)
