"""Losses, in the styles of books and courses."""

from hand_written import HandWritten, m
from patterns import (
    FACTOR,
    HALF,
    NO_MEAN,
    NOT_MASKED,
    PATH,
    SIGN,
    SUMMAND,
    SWAPPED,
    TOO_OFTEN,
    TWICE,
)

# fmt: off
LOSSES = {
    "softmax loss of a course": HandWritten(
        '''
def softmax_loss(x, y):
    shifted = x - x.max(axis=1, keepdims=True)
    Z = np.exp(shifted).sum(axis=1, keepdims=True)
    log_probs = shifted - np.log(Z)
    N = x.shape[0]
    loss = -log_probs[np.arange(N), y].sum() / N
    dx = np.exp(log_probs)
    dx[np.arange(N), y] -= 1
    dx /= N
    return loss, dx

def make(rng):
    return lambda x, y: softmax_loss(x, y)[0], lambda x, y: softmax_loss(x, y)[1], \\
        rng.normal(5, 4), rng.integers(4, 5)
''',
        "f, g, x, y", "out = f(x, y)", "dx = g(x, y)", "x: dx",
        (
            m("no mean", "    dx /= N\n", "", NO_MEAN),
            m("minus one missing", "    dx[np.arange(N), y] -= 1\n", "", "too large there|" + PATH),
            m("of the classes", "dx /= N", "dx /= x.shape[1]", FACTOR),
            m("one row", "dx[np.arange(N), y] -= 1", "dx[0, y] -= 1", ""),
            m("logarithm", "dx = np.exp(log_probs)", "dx = log_probs.copy()", PATH),
        ),
    ),
    "binary cross-entropy of logits": HandWritten(
        '''
class BCEWithLogits:
    def __call__(self, logits, targets):
        self.logits, self.targets = logits, targets
        loss = np.maximum(logits, 0) - logits * targets + np.log1p(np.exp(-np.abs(logits)))
        return loss.mean()

    def backward(self):
        probs = 1 / (1 + np.exp(-self.logits))
        return (probs - self.targets) / self.logits.size

def make(rng):
    return BCEWithLogits(), rng.normal(6, 1), rng.integers(2, 6, 1).astype(float)
''',
        "layer, x, t", "out = layer(x, t)", "dx = layer.backward()", "x: dx",
        (
            m("no mean", " / self.logits.size", "", NO_MEAN),
            m("sign", "(probs - self.targets)", "(self.targets - probs)", SIGN),
            m("slope of the sigmoid", "(probs - self.targets)",
              "(probs - self.targets) * probs * (1 - probs)", ""),
        ),
    ),
    "binary cross-entropy of probabilities": HandWritten(
        '''
class BinaryCrossEntropy:
    def forward(self, y_pred, y_true):
        self.y_pred, self.y_true = y_pred, y_true
        return -np.mean(y_true * np.log(y_pred) + (1 - y_true) * np.log(1 - y_pred))

    def backward(self):
        p, t = self.y_pred, self.y_true
        return (p - t) / (p * (1 - p)) / p.size

def make(rng):
    return BinaryCrossEntropy(), rng.uniform(0.1, 0.9, 5, 1), rng.integers(2, 5, 1).astype(float)
''',
        "layer, p, t", "out = layer.forward(p, t)", "dx = layer.backward()", "p: dx",
        (
            m("denominator", "(p - t) / (p * (1 - p)) / p.size", "(p - t) / p.size", ""),
            m("no mean", "(p * (1 - p)) / p.size", "(p * (1 - p))", NO_MEAN),
            m("half of the denominator", "(p * (1 - p))", "p", "a division left out"),
            m("an epsilon in the denominator", "(p * (1 - p)) /", "(p * (1 - p) + 0.05) /", ""),
        ),
    ),
    "multiclass hinge, loops": HandWritten(
        '''
def svm_loss(W, X, y):
    dW = np.zeros(W.shape)
    num_classes, num_train = W.shape[1], X.shape[0]
    loss = 0.0
    for i in range(num_train):
        scores = X[i].dot(W)
        correct = scores[y[i]]
        for j in range(num_classes):
            if j == y[i]:
                continue
            margin = scores[j] - correct + 1
            if margin > 0:
                loss += margin
                dW[:, j] += X[i]
                dW[:, y[i]] -= X[i]
    loss /= num_train
    dW /= num_train
    loss += 0.1 * np.sum(W * W)
    dW += 2 * 0.1 * W
    return loss, dW

def make(rng):
    return lambda W, X, y: svm_loss(W, X, y)[0], lambda W, X, y: svm_loss(W, X, y)[1], \\
        rng.normal(3, 4), rng.normal(5, 3), rng.integers(4, 5)
''',
        "f, g, W, X, y", "out = f(W, X, y)", "dW = g(W, X, y)", "W: dW",
        (
            m("no mean", "    dW /= num_train\n", "", ""),
            m("assigned", "dW[:, j] += X[i]", "dW[:, j] = X[i]", ""),
            m("correct class missing", "                dW[:, y[i]] -= X[i]\n", "", ""),
            m("regularisation halved", "dW += 2 * 0.1 * W", "dW += 0.1 * W", SUMMAND),
        ),
    ),
    "Huber": HandWritten(
        '''
class Huber:
    def __init__(self, delta=1.0):
        self.delta = delta

    def forward(self, y_hat, y):
        self.r = y_hat - y
        small = np.abs(self.r) <= self.delta
        each = np.where(small, 0.5 * self.r ** 2, self.delta * (np.abs(self.r) - 0.5 * self.delta))
        return each.mean()

    def backward(self):
        return np.clip(self.r, -self.delta, self.delta) / len(self.r)

def make(rng):
    return Huber(), 2 * rng.normal(8), rng.normal(8)
''',
        "layer, p, t", "out = layer.forward(p, t)", "dx = layer.backward()", "p: dx",
        (
            m("never clipped", "np.clip(self.r, -self.delta, self.delta)", "self.r", ""),
            m("no mean", " / len(self.r)", "", NO_MEAN),
            m("factor 2", "np.clip(self.r", "2 * np.clip(self.r", TWICE),
            m("sign", "self.r = y_hat - y", "self.r = y - y_hat", SIGN),
        ),
    ),
    "mean squared error, both sides": HandWritten(
        '''
def mse_forward(a, b):
    diff = a - b
    return np.mean(diff ** 2), diff

def mse_backward(dout, diff):
    da = dout * 2 * diff / diff.size
    return da, -da

def make(rng):
    return mse_forward, mse_backward, rng.normal(4, 3), rng.normal(4, 3)
''',
        "f, g, a, b", "out, cache = f(a, b)", "da, db = g(dout, cache)", "a: da; b: db",
        (
            m("sign of the second", "return da, -da", "return da, da", SIGN),
            m("mean over the rows alone", "/ diff.size", "/ len(diff)", NO_MEAN + "|" + FACTOR),
            m("two missing", "dout * 2 * diff", "dout * diff", HALF),
            m("N twice", "/ diff.size", "/ diff.size ** 2", TOO_OFTEN),
        ),
    ),
    "Kullback-Leibler of two Gaussians": HandWritten(
        '''
class GaussianKL:
    def forward(self, mu, logvar):
        self.mu, self.logvar = mu, logvar
        return -0.5 * np.sum(1 + logvar - mu ** 2 - np.exp(logvar)) / len(mu)

    def backward(self):
        dmu = self.mu / len(self.mu)
        dlogvar = 0.5 * (np.exp(self.logvar) - 1) / len(self.mu)
        return dmu, dlogvar

def make(rng):
    return GaussianKL(), rng.normal(5, 3), rng.normal(5, 3)
''',
        "layer, mu, logvar", "out = layer.forward(mu, logvar)", "dmu, dlv = layer.backward()",
        "mu: dmu; logvar: dlv",
        (
            m("half missing", "0.5 * (np.exp", "(np.exp", TWICE),
            m("one missing", "(np.exp(self.logvar) - 1)", "np.exp(self.logvar)",
              SUMMAND + "|too large"),
            m("no mean", "dmu = self.mu / len(self.mu)", "dmu = self.mu.copy()", NO_MEAN),
            m("swapped", "return dmu, dlogvar", "return dlogvar, dmu", SWAPPED),
        ),
    ),
    "label smoothing": HandWritten(
        '''
def smoothed_loss(logits, labels, smoothing=0.1):
    n, k = logits.shape
    probs = np.exp(logits - logits.max(1, keepdims=True))
    probs /= probs.sum(1, keepdims=True)
    target = np.full((n, k), smoothing / k)
    target[np.arange(n), labels] += 1 - smoothing
    loss = -(target * np.log(probs)).sum() / n
    return loss, {"probs": probs, "target": target}

def smoothed_loss_backward(dloss, cache):
    return dloss * (cache["probs"] - cache["target"]) / len(cache["probs"])

def make(rng):
    return smoothed_loss, smoothed_loss_backward, rng.normal(4, 5), rng.integers(5, 4)
''',
        "f, g, x, y", "out, cache = f(x, y)", "dx = g(dout, cache)", "x: dx",
        (
            m("no mean", ' / len(cache["probs"])', "", NO_MEAN),
            m("mean over everything", '/ len(cache["probs"])', '/ cache["probs"].size', TOO_OFTEN
              + "|" + FACTOR),
            m("sign", '(cache["probs"] - cache["target"])', '(cache["target"] - cache["probs"])',
              SIGN),
            m("squared", '(cache["probs"] - cache["target"])',
              '(cache["probs"] ** 2 - cache["target"])', PATH),
        ),
    ),
    "triplet margin": HandWritten(
        '''
class TripletLoss:
    def __init__(self, margin=2.0):
        self.margin = margin

    def forward(self, anchor, positive, negative):
        self.a, self.p, self.n = anchor, positive, negative
        near = ((anchor - positive) ** 2).sum(axis=1)
        far = ((anchor - negative) ** 2).sum(axis=1)
        self.violation = near - far + self.margin
        return np.maximum(self.violation, 0).mean()

    def backward(self):
        active = (self.violation > 0)[:, None] / len(self.a)
        da = 2 * (self.n - self.p) * active
        dp = 2 * (self.p - self.a) * active
        dn = 2 * (self.a - self.n) * active
        return da, dp, dn

def make(rng):
    return TripletLoss(), rng.normal(6, 3), rng.normal(6, 3), rng.normal(6, 3)
''',
        "layer, a, p, n", "out = layer.forward(a, p, n)", "da, dp, dn = layer.backward()",
        "a: da; p: dp; n: dn",
        (
            m("sign of the positive", "dp = 2 * (self.p - self.a)", "dp = 2 * (self.a - self.p)",
              SIGN),
            m("all active", "(self.violation > 0)[:, None]", "(self.violation > -1e9)[:, None]",
              NOT_MASKED),
            m("no mean", " / len(self.a)", " * 1.0", NO_MEAN),
            m("anchor as the positive", "da = 2 * (self.n - self.p)", "da = 2 * (self.a - self.p)",
              ""),
        ),
    ),
    "cosine similarity": HandWritten(
        '''
class CosineLoss:
    def forward(self, u, v):
        self.u, self.v = u, v
        self.nu = np.linalg.norm(u, axis=1, keepdims=True)
        self.nv = np.linalg.norm(v, axis=1, keepdims=True)
        self.cos = (u * v).sum(axis=1, keepdims=True) / (self.nu * self.nv)
        return (1 - self.cos).mean()

    def backward(self):
        n = len(self.u)
        du = -(self.v / (self.nu * self.nv) - self.cos * self.u / self.nu ** 2) / n
        dv = -(self.u / (self.nu * self.nv) - self.cos * self.v / self.nv ** 2) / n
        return du, dv

def make(rng):
    return CosineLoss(), rng.normal(5, 4), rng.normal(5, 4)
''',
        "layer, u, v", "out = layer.forward(u, v)", "du, dv = layer.backward()", "u: du; v: dv",
        (
            m("norm taken for a constant", " - self.cos * self.u / self.nu ** 2", "", PATH),
            m("sign", "dv = -(self.u", "dv = (self.u", SIGN),
            m("norm not squared", "self.cos * self.v / self.nv ** 2", "self.cos * self.v / self.nv",
              PATH),
            m("no mean", "self.nu ** 2) / n", "self.nu ** 2)", NO_MEAN),
        ),
    ),
    "focal loss of one probability each": HandWritten(
        '''
def focal(p, y, gamma=2.0):
    pt = np.where(y == 1, p, 1 - p)
    return np.sum(-((1 - pt) ** gamma) * np.log(pt))

def focal_grad(p, y, gamma=2.0):
    pt = np.where(y == 1, p, 1 - p)
    dpt = gamma * (1 - pt) ** (gamma - 1) * np.log(pt) - (1 - pt) ** gamma / pt
    return np.where(y == 1, dpt, -dpt)

def make(rng):
    return focal, focal_grad, rng.uniform(0.1, 0.9, 8), rng.integers(2, 8)
''',
        "f, g, p, y", "out = f(p, y)", "dp = g(p, y)", "p: dp",
        (
            m("sign for class 0", "np.where(y == 1, dpt, -dpt)", "dpt", "sign is wrong"),
            m("first term missing", "gamma * (1 - pt) ** (gamma - 1) * np.log(pt) - ", "-", ""),
            m("exponent", "(gamma - 1) * np.log(pt)", "gamma * np.log(pt)", ""),
        ),
    ),
}
